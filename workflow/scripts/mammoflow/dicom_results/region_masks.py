"""Writes candidates as masks: DICOM SEG, PS3.3 A.51."""

from datetime import datetime

import numpy as np
from highdicom import AlgorithmIdentificationSequence, seg
from pydicom.dataset import Dataset

from mammoflow.dicom_results import codes, description, source_images
from mammoflow.dicom_results.subject import Algorithm, ImageFindings

_FAMILY = codes.dcm("123110", "Artificial Intelligence")


def region_masks(findings: ImageFindings, algorithm: Algorithm, made: datetime, number: int = 1) -> Dataset:
    """Write the candidates on one image as a segmentation: a segment for each, its box filled.

    Parameters
    ----------
    findings, algorithm, made, number
        As for `measurement_report.measurement_report`, with at least one candidate.

    Returns
    -------
    pydicom.dataset.Dataset
        Segmentation of binary frames, one for each segment and each of the size of the image. Like most
        mammograms it has no frame of reference: its frames refer to the image and have the same pixels. It
        has no pixel spacing, which highdicom reads only together with a slice thickness.

    Raises
    ------
    ValueError
        As `description.check`, and without candidates: a segmentation has at least one segment.
    """
    description.check(findings)
    if not len(findings.boxes):
        raise ValueError("expected at least one candidate for a segmentation, got none")
    date, time = source_images.date_and_time(made)
    document = seg.Segmentation(
        source_images=[source_images.stand_in(findings.source)],
        pixel_array=_masks(findings),
        segmentation_type=seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(findings, index, algorithm) for index in range(len(findings.boxes))],
        content_label=description.LABEL,
        content_description="Boxes of mass candidates",
        content_date=date,
        content_time=time,
        **description.identity(description.REGIONS, [findings], algorithm, made, number),
    )
    document.PatientOrientation = source_images.orientation(findings.source)
    return source_images.inherit(document, findings.source, made)


def _masks(findings: ImageFindings) -> np.ndarray:
    """Filled boxes, (1, rows, columns, N) bool."""
    masks = np.zeros((1, findings.rows, findings.columns, len(findings.boxes)), bool)
    for index, (y0, x0, y1, x1) in enumerate(findings.boxes):
        masks[0, y0:y1, x0:x1, index] = True
    return masks


def _segment(findings: ImageFindings, index: int, algorithm: Algorithm) -> seg.SegmentDescription:
    tracking = description.tracking_id(index)
    return seg.SegmentDescription(
        segment_number=index + 1,
        segment_label=f"{tracking}, {100 * findings.scores[index]:.0f} %",
        segmented_property_category=codes.ABNORMAL_STRUCTURE,
        segmented_property_type=codes.MASS,
        algorithm_type=seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            algorithm.name,
            _FAMILY,
            algorithm.version,
            source=algorithm.manufacturer,
            parameters={"bundle SHA-256": algorithm.digest, "threshold": f"{findings.threshold:g}"},
        ),
        tracking_uid=description.tracking_uid(findings, index, algorithm),
        tracking_id=tracking,
        anatomic_regions=[codes.SIDES.get(findings.laterality, codes.BREAST)],
    )
