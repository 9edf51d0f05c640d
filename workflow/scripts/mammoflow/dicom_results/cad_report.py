"""Writes the candidates of a case as a mammography CAD report: DICOM SR, PS3.16 TID 4000.

Mammography workstations read this kind of report and draw its marks. The templates that are used are 1204
(language), 4000 (root), 4001 and 4003 (impressions), 4006 and 4021 (findings, geometry), 4015 and 4017 (what
was detected), 4019 (algorithm), 4020 (images) and 4108 (tracking). They are not extensible, and the order of
their rows matters.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, ExplicitVRLittleEndian, MammographyCADSRStorage

from mammoflow.dicom import headers
from mammoflow.dicom_results import codes, content_items, description, source_images
from mammoflow.dicom_results.codes import dcm
from mammoflow.dicom_results.subject import Algorithm, ImageFindings

_CONTAINS, _PROPERTY, _MODIFIER = "CONTAINS", "HAS PROPERTIES", "HAS CONCEPT MOD"
_INFERRED, _ACQUISITION, _SELECTED = "INFERRED FROM", "HAS ACQ CONTEXT", "SELECTED FROM"
_OBSERVATION = "HAS OBS CONTEXT"

_ENGLISH = Code("en", "RFC5646", "English")
_SUCCEEDED = dcm("111222", "Succeeded")
_NOT_ATTEMPTED = dcm("111225", "Not Attempted")
_REQUIRED = dcm("111150", "Presentation Required: Rendering device is expected to present")

# Rows 7 to 10 of TID 4020, and what is valid in them (PS3.5 section 6.2).
_DATE, _TIME = re.compile(r"\d{8}"), re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")
_MOMENTS = (
    ("StudyDate", content_items.date, dcm("111060", "Study Date"), _DATE),
    ("StudyTime", content_items.time, dcm("111061", "Study Time"), _TIME),
    ("ContentDate", content_items.date, dcm("111018", "Content Date"), _DATE),
    ("ContentTime", content_items.time, dcm("111019", "Content Time"), _TIME),
)

# Positions in the root's sequence: the language, then the image library.
_LIBRARY = (1, 2)


def cad_report(case: Sequence[ImageFindings], algorithm: Algorithm, made: datetime) -> Dataset:
    """Write the candidates on the images of one study as a mammography CAD report.

    Parameters
    ----------
    case : sequence of ImageFindings
        One for each image of the study that was analysed, usually four; images without candidates too.
    algorithm : Algorithm
        The detector.
    made : datetime
        Local time at which the report is made.

    Returns
    -------
    pydicom.dataset.Dataset
        Mammography CAD SR. Each candidate is a mammography breast density with centre, outline, and score as
        certainty in percent; all are to be presented, since they are those of the operating point.

    Raises
    ------
    ValueError
        As `check_case`.
    """
    check_case(case)
    document = _document(case, algorithm, made)
    document.update(_root(case, algorithm))
    return document


def check_case(case: Sequence[ImageFindings]) -> None:
    """Refuse findings that are not those of one study.

    Raises
    ------
    ValueError
        Without images, with images of several studies or patients, an image twice, or several operating
        points; and as `description.check`. The message has no value of a header.
    """
    if not case:
        raise ValueError("expected a case of at least one image, got none")
    for findings in case:
        description.check(findings)
    for keyword, what in (("StudyInstanceUID", "study"), ("PatientID", "patient")):
        if len({str(headers.value(findings.source, keyword, "")) for findings in case}) > 1:
            raise ValueError(f"expected images of one {what}, got several: their {keyword} differs")
    if len({str(findings.source.SOPInstanceUID) for findings in case}) < len(case):
        raise ValueError("expected every image of a case once, got one twice")
    if len({(findings.mode, findings.fpi, findings.threshold) for findings in case}) > 1:
        raise ValueError("expected one mode and operating point for all images of a case, got several")


def _document(case: Sequence[ImageFindings], algorithm: Algorithm, made: datetime) -> Dataset:
    """The report without its content: PS3.3 A.35.5."""
    identity = description.identity(description.CAD, case, algorithm, made, 0)
    document = Dataset()
    document.SOPClassUID = MammographyCADSRStorage
    document.SOPInstanceUID = identity["sop_instance_uid"]
    document.Modality = "SR"
    document.SeriesInstanceUID = identity["series_instance_uid"]
    document.SeriesNumber = identity["series_number"]
    document.SeriesDescription = identity["series_description"]
    document.ReferencedPerformedProcedureStepSequence = []
    document.Manufacturer = algorithm.manufacturer
    document.ManufacturerModelName = algorithm.name
    document.SoftwareVersions = algorithm.version
    document.DeviceSerialNumber = algorithm.digest
    document.InstanceNumber = identity["instance_number"]
    document.ContentDate, document.ContentTime = source_images.date_and_time(made)
    document.PreliminaryFlag = "PRELIMINARY"
    document.CompletionFlag, document.VerificationFlag = "COMPLETE", "UNVERIFIED"
    document.PerformedProcedureCodeSequence = []
    document.CurrentRequestedProcedureEvidenceSequence = [_evidence(case)]
    document.file_meta = FileMetaDataset()
    document.file_meta.MediaStorageSOPClassUID = document.SOPClassUID
    document.file_meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    document.file_meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    return source_images.inherit(document, case[0].source, made)


def _evidence(case: Sequence[ImageFindings]) -> Dataset:
    """The images by study and series (PS3.3 table C.17-3): viewers look them up here."""
    series: dict[str, list[Dataset]] = {}
    for findings in case:
        series.setdefault(str(findings.source.SeriesInstanceUID), []).append(findings.source)
    study = Dataset()
    study.StudyInstanceUID = str(case[0].source.StudyInstanceUID)
    study.ReferencedSeriesSequence = []
    for uid, images in series.items():
        item = Dataset()
        item.SeriesInstanceUID = uid
        item.ReferencedSOPSequence = [content_items.reference(image) for image in images]
        study.ReferencedSeriesSequence.append(item)
    return study


def _root(case: Sequence[ImageFindings], algorithm: Algorithm) -> Dataset:
    """TID 4000."""
    root = content_items.container(
        None,
        dcm("111036", "Mammography CAD Report"),
        content_items.code(_MODIFIER, dcm("121049", "Language of Content Item and Descendants"), _ENGLISH),
        content_items.container(
            _CONTAINS, dcm("111028", "Image Library"), *(_library_entry(findings) for findings in case)
        ),
        _impressions(case, algorithm),
        _detections(case, algorithm),
        content_items.code(_CONTAINS, dcm("111065", "Summary of Analyses"), _NOT_ATTEMPTED),
    )
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "4000"
    root.ContentTemplateSequence = [template]
    return root


def _library_entry(findings: ImageFindings) -> Dataset:
    """TID 4020: what a workstation needs to know of an image to find its place on the screen."""
    source, items = findings.source, []
    if findings.laterality in codes.SIDES:
        side = codes.SIDES[findings.laterality]
        items.append(content_items.code(_ACQUISITION, dcm("111027", "Image Laterality"), side))
    if findings.view in codes.VIEWS:
        view = codes.VIEWS[findings.view]
        items.append(content_items.code(_ACQUISITION, dcm("111031", "Image View"), view))
    names = dcm("111044", "Patient Orientation Row"), dcm("111043", "Patient Orientation Column")
    for name, direction in zip(names, source_images.orientation(source), strict=False):
        items.append(content_items.text(_ACQUISITION, name, direction))
    for keyword, build, name, valid in _MOMENTS:
        if valid.fullmatch(content := str(headers.value(source, keyword, ""))):
            items.append(build(_ACQUISITION, name, content))
    if spacing_mm := headers.spacing(source)[0]:
        for name in (dcm("111026", "Horizontal Pixel Spacing"), dcm("111066", "Vertical Pixel Spacing")):
            items.append(content_items.number(_ACQUISITION, name, spacing_mm, codes.MILLIMETRE))
    return content_items.image(_CONTAINS, source, *items)


def _impressions(case: Sequence[ImageFindings], algorithm: Algorithm) -> Dataset:
    """TID 4001: an individual impression (TID 4003) for each candidate."""
    impressions = [
        content_items.container(
            _INFERRED,
            dcm("111034", "Individual Impression/Recommendation"),
            _rendering_intent(),
            _finding(findings, index, algorithm, (*_LIBRARY, position)),
        )
        for position, findings in enumerate(case, start=1)
        for index in range(len(findings.boxes))
    ]
    summary = codes.WITH_FINDINGS if impressions else codes.WITHOUT_FINDINGS
    return content_items.code(_CONTAINS, codes.SUMMARY, summary, *impressions)


def _finding(findings: ImageFindings, index: int, algorithm: Algorithm, image: tuple[int, ...]) -> Dataset:
    """TID 4006, with tracking (TID 4108), algorithm (TID 4019) and geometry (TID 4021)."""
    outline = description.outline(findings.boxes[index])
    centre = (outline[:1] + outline[2:3]) / 2
    return content_items.code(
        _CONTAINS,
        dcm("111059", "Single Image Finding"),
        codes.DENSITY,
        _rendering_intent(),
        content_items.text(
            _OBSERVATION, dcm("112039", "Tracking Identifier"), description.tracking_id(index)
        ),
        content_items.uid_reference(
            _OBSERVATION,
            dcm("112040", "Tracking Unique Identifier"),
            description.tracking_uid(findings, index, algorithm),
        ),
        *_algorithm(findings, algorithm),
        content_items.number(
            _PROPERTY, codes.CERTAINTY, description.percent(findings.scores[index]), codes.PERCENT
        ),
        _geometry(dcm("111010", "Center"), "POINT", centre, image),
        _geometry(dcm("111041", "Outline"), "POLYLINE", outline, image),
    )


def _geometry(name: Code, kind: str, coordinates: object, image: tuple[int, ...]) -> Dataset:
    selected = content_items.by_reference(_SELECTED, image)
    return content_items.points(_PROPERTY, name, kind, coordinates, selected)


def _rendering_intent() -> Dataset:
    return content_items.code(_MODIFIER, dcm("111056", "Rendering Intent"), _REQUIRED)


def _algorithm(findings: ImageFindings, algorithm: Algorithm) -> list[Dataset]:
    """TID 4019."""
    return [
        content_items.text(_PROPERTY, dcm("111001", "Algorithm Name"), algorithm.name),
        content_items.text(_PROPERTY, dcm("111003", "Algorithm Version"), algorithm.version),
        *(
            content_items.text(_PROPERTY, dcm("111002", "Algorithm Parameters"), parameter)
            for parameter in description.parameters(findings, algorithm)
        ),
    ]


def _detections(case: Sequence[ImageFindings], algorithm: Algorithm) -> Dataset:
    """Rows 6 and 7 of TID 4000, with TID 4015 and 4017: which images were searched for densities."""
    performed = content_items.code(
        _CONTAINS,
        dcm("111022", "Detection Performed"),
        codes.DENSITY,
        *_algorithm(case[0], algorithm),
        *(
            content_items.by_reference(_PROPERTY, (*_LIBRARY, position))
            for position in range(1, len(case) + 1)
        ),
    )
    successful = content_items.container(_INFERRED, dcm("111063", "Successful Detections"), performed)
    return content_items.code(_CONTAINS, dcm("111064", "Summary of Detections"), _SUCCEEDED, successful)
