"""Writes candidates as a measurement report: DICOM SR, PS3.16 TID 1500."""

from datetime import datetime

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as known

from mammoflow.dicom_results import codes, description, source_images
from mammoflow.dicom_results.subject import Algorithm, ImageFindings

# CID 100 does not list it, but may be extended.
_PROCEDURE = codes.sct("71651007", "Mammography")


def measurement_report(
    findings: ImageFindings, algorithm: Algorithm, made: datetime, number: int = 1
) -> Dataset:
    """Write the candidates on one image as a measurement report.

    Parameters
    ----------
    findings : ImageFindings
        On a DICOM image.
    algorithm : Algorithm
        The detector.
    made : datetime
        Local time at which the objects are made.
    number : int
        Number of the image within its case, from 1.

    Returns
    -------
    pydicom.dataset.Dataset
        Comprehensive SR. The group of a candidate has its box as a closed polyline and its score as certainty
        in percent (TID 1410). Without candidates, one group says so of the image (TID 1501).

    Raises
    ------
    ValueError
        As `description.check`.
    """
    description.check(findings)
    image = source_images.stand_in(findings.source)
    groups = [_of_candidate(findings, index, image, algorithm) for index in range(len(findings.boxes))]
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_device(algorithm)),
        procedure_reported=_PROCEDURE,
        imaging_measurements=groups or [_of_image(findings, image, algorithm)],
        title=known.DCM.ImagingMeasurementReport,
    )
    date, time = source_images.date_and_time(made)
    document = sr.ComprehensiveSR(
        evidence=[image],
        content=report,
        is_complete=True,
        content_date=date,
        content_time=time,
        **description.identity(description.MEASUREMENTS, [findings], algorithm, made, number),
    )
    return source_images.inherit(document, findings.source, made)


def _device(algorithm: Algorithm) -> sr.ObserverContext:
    """The detector as observer (TID 1004)."""
    return sr.ObserverContext(
        observer_type=known.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=description.uid("device", algorithm),
            name=algorithm.name,
            manufacturer_name=algorithm.manufacturer,
            model_name=algorithm.name,
            serial_number=algorithm.digest,
        ),
    )


def _identification(findings: ImageFindings, algorithm: Algorithm) -> sr.AlgorithmIdentification:
    """TID 4019."""
    return sr.AlgorithmIdentification(
        algorithm.name,
        algorithm.version,
        parameters=description.parameters(findings, algorithm),
        manufacturer=algorithm.manufacturer,
    )


def _sites(findings: ImageFindings) -> list[sr.FindingSite]:
    return [sr.FindingSite(codes.BREAST, laterality=codes.LATERALITIES.get(findings.laterality))]


def _of_image(
    findings: ImageFindings, image: Dataset, algorithm: Algorithm
) -> sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501, for an image without candidates: a report has at least one group."""
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=description.uid("image", str(image.SOPInstanceUID), algorithm), identifier="Image"
        ),
        algorithm_id=_identification(findings, algorithm),
        finding_sites=_sites(findings),
        source_images=[sr.SourceImageForMeasurementGroup.from_source_image(image)],
        qualitative_evaluations=[sr.QualitativeEvaluation(codes.SUMMARY, codes.WITHOUT_FINDINGS)],
    )


def _of_candidate(
    findings: ImageFindings, index: int, image: Dataset, algorithm: Algorithm
) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    """TID 1410."""
    region = sr.ImageRegion(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        graphic_data=description.outline(findings.boxes[index]),
        source_image=sr.SourceImageForRegion.from_source_image(image),
    )
    score = sr.Measurement(codes.CERTAINTY, description.percent(findings.scores[index]), codes.PERCENT)
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=description.tracking_uid(findings, index, algorithm),
            identifier=description.tracking_id(index),
        ),
        referenced_region=region,
        finding_type=codes.MASS,
        algorithm_id=_identification(findings, algorithm),
        finding_sites=_sites(findings),
        measurements=[score],
    )
