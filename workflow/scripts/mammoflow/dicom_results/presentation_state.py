"""Writes candidates as a presentation state that draws boxes and scores: DICOM GSPS, PS3.3 A.33.1."""

from datetime import datetime

from highdicom import pr
from highdicom.content import PresentationLUTTransformation
from pydicom.dataset import Dataset

from mammoflow.dicom import headers
from mammoflow.dicom_results import description, source_images
from mammoflow.dicom_results.subject import Algorithm, ImageFindings

_LAYER = pr.GraphicLayer("MASS_CANDIDATES", order=1, description="Boxes and scores of mass candidates")


def presentation_state(
    findings: ImageFindings, algorithm: Algorithm, made: datetime, number: int = 1
) -> Dataset:
    """Write the candidates on one image as a presentation state.

    Parameters
    ----------
    findings, algorithm, made, number
        As for `measurement_report.measurement_report`.

    Returns
    -------
    pydicom.dataset.Dataset
        Grayscale Softcopy Presentation State with one layer: for each candidate a closed polyline, and its
        score in percent at its upper left corner. The grey scale is that of the image. Without candidates
        there is no layer.

    Raises
    ------
    ValueError
        As `description.check`.
    """
    description.check(findings)
    image = source_images.stand_in(findings.source)
    shape = headers.LUT_SHAPES.get(headers.photometric(findings.source), "IDENTITY")
    document = pr.GrayscaleSoftcopyPresentationState(
        referenced_images=[image],
        content_label=description.LABEL,
        content_description=description.operating_point(findings),
        graphic_layers=[_LAYER] if len(findings.boxes) else None,
        graphic_annotations=_annotations(findings, image, algorithm) or None,
        presentation_lut_transformation=PresentationLUTTransformation(presentation_lut_shape=shape),
        **description.identity(description.PRESENTATION, [findings], algorithm, made, number),
    )
    document.Laterality = findings.laterality or ""
    _add_grey_scale(document, findings.source)
    document.PresentationCreationDate, document.PresentationCreationTime = source_images.date_and_time(made)
    return source_images.inherit(document, findings.source, made)


def _add_grey_scale(document: Dataset, source: Dataset) -> None:
    """Repeat the image's transforms: a state without them is shown without them (PS3.4 N.2)."""
    for keyword, content in source_images.modality_transform(source).items():
        setattr(document, keyword, content)
    if windows := source_images.windows(source):
        item = Dataset()
        for keyword, content in windows.items():
            setattr(item, keyword, content)
        document.SoftcopyVOILUTSequence = [item]


def _annotations(findings: ImageFindings, image: Dataset, algorithm: Algorithm) -> list[pr.GraphicAnnotation]:
    return [
        pr.GraphicAnnotation(
            referenced_images=[image],
            graphic_layer=_LAYER,
            graphic_objects=[_box(findings, index, algorithm)],
            text_objects=[_score(findings, index, algorithm)],
        )
        for index in range(len(findings.boxes))
    ]


def _box(findings: ImageFindings, index: int, algorithm: Algorithm) -> pr.GraphicObject:
    return pr.GraphicObject(
        graphic_type=pr.GraphicTypeValues.POLYLINE,
        graphic_data=description.outline(findings.boxes[index]),
        units=pr.AnnotationUnitsValues.PIXEL,
        tracking_id=description.tracking_id(index),
        tracking_uid=description.tracking_uid(findings, index, algorithm),
    )


def _score(findings: ImageFindings, index: int, algorithm: Algorithm) -> pr.TextObject:
    y0, x0 = findings.boxes[index][:2]
    return pr.TextObject(
        text_value=f"{100 * findings.scores[index]:.0f} %",
        units=pr.AnnotationUnitsValues.PIXEL,
        anchor_point=(float(x0), float(y0)),
        anchor_point_visible=False,
        tracking_id=description.tracking_id(index),
        tracking_uid=description.tracking_uid(findings, index, algorithm),
    )
