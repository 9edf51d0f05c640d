"""ImageFindings on phantoms for tests of DICOM objects, and what readers of these objects find in them."""

import functools
import io
import tempfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
from highdicom import seg, sr
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from mammoflow.base.boxes import bounding_box
from mammoflow.dicom_results import source_images
from mammoflow.dicom_results.subject import Algorithm, ImageFindings
from mammoflow.phantoms import digital_release, film_release, patients
from mammoflow.phantoms.instances import Folder

ALGORITHM = Algorithm("inbreast/vgg16/imagenet", "0.1.0", "c0ffee" + 58 * "0", "mammoflow developers")
MADE = datetime(2026, 5, 4, 3, 2, 1)
ROWS, COLUMNS = 256, 192
BOXES = np.array([[10, 20, 50, 70], [0, 0, ROWS, COLUMNS], [40, 60, 41, 61]])
SCORES = np.array([0.914, 0.5, 0.301])

_RELEASES = {"digital": digital_release, "film": film_release}


@functools.cache
def phantoms(cohort):
    """Mammograms of a phantom patient, as bytes: digital ones of one study, films of a study each."""
    entry = {"cohort": cohort, "patients": 1, "detector": [ROWS, COLUMNS], "pixel_mm": 0.6, "masses": 1.0}
    settings = patients.Settings.from_config(entry)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _RELEASES[cohort].write_patient(settings, 3, patients.draw(settings, 3, 0), Folder(root))
        paths = sorted(path for path in root.rglob("*.dcm") if cohort == "digital" or "full" in str(path))
        return [path.read_bytes() for path in paths]


def source_of(content, folder):
    """A source as the command reads it."""
    path = folder / "image.dcm"
    path.write_bytes(content)
    return source_images.read_source(path)


def findings(source, count=2, laterality="L", view="CC", **changes):
    """ImageFindings with the first boxes of `BOXES`."""
    content = {
        "rows": source.Rows,
        "columns": source.Columns,
        "boxes": BOXES[:count],
        "scores": SCORES[:count],
        "mode": "candidate",
        "fpi": 0.5,
        "threshold": 0.3,
        "laterality": laterality,
        "view": view,
        "source": source,
    }
    return ImageFindings(**content | changes)


def case(folder, counts=(2, 0, 1, 3)):
    """ImageFindings on the four views of a phantom, with so many boxes."""
    found = []
    for content, count in zip(phantoms("digital"), counts, strict=True):
        image = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
        source = source_of(content, folder)
        found.append(findings(source, count, image.ImageLaterality, image.ViewPosition))
    return found


def header(rows=ROWS, columns=COLUMNS, **changes):
    """Header of a mammogram without pixels, as a source; None removes an element."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    image.SOPInstanceUID, image.SeriesInstanceUID = "1.2.3.4.5", "1.2.3.4"
    image.StudyInstanceUID = "1.2.3"
    image.PatientName, image.PatientID = "Doe^Jane", "4711"
    image.PatientBirthDate, image.PatientSex = "19600203", "F"
    image.StudyDate, image.StudyTime, image.StudyID = "20200101", "101500", "S1"
    image.AccessionNumber = "A1"
    image.Modality = "MG"
    image.Rows, image.Columns = rows, columns
    image.PhotometricInterpretation = "MONOCHROME2"
    image.PixelSpacing = [0.07, 0.07]
    for keyword, value in changes.items():
        if value is None:
            delattr(image, keyword)
        else:
            setattr(image, keyword, value)
    return image


def reread(document):
    """The object as another program reads it from a file."""
    file = io.BytesIO()
    document.save_as(file, enforce_file_format=True)
    return pydicom.dcmread(io.BytesIO(file.getvalue()))


def box_of(points):
    """Box around the points of an outline, which are (column, row)."""
    columns, rows = np.asarray(points).reshape(-1, 2).T
    return int(rows.min()), int(columns.min()), int(rows.max()), int(columns.max())


def measured(document):
    """Boxes and certainties of a measurement report, read by highdicom."""
    report = sr.ComprehensiveSR.from_dataset(document)
    groups = report.content.get_planar_roi_measurement_groups()
    boxes = [box_of(group.roi.value) for group in groups]
    return boxes, [group.get_measurements()[0].value for group in groups]


def drawn(document):
    """Boxes and texts of a presentation state."""
    annotations = document.get("GraphicAnnotationSequence", [])
    return (
        [box_of(each.GraphicObjectSequence[0].GraphicData) for each in annotations],
        [each.TextObjectSequence[0].UnformattedTextValue for each in annotations],
    )


def segmented(document):
    """Boxes and labels of a segmentation, read by highdicom; every segment must fill its box."""
    masks = seg.Segmentation.from_dataset(document)
    pixels = masks.get_pixels_by_source_instance(
        [document.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID]
    )
    boxes = [bounding_box(mask) for mask in np.moveaxis(pixels[0], -1, 0).astype(bool)]
    for index, (y0, x0, y1, x1) in enumerate(boxes):
        assert pixels[0, ..., index].sum() == (y1 - y0) * (x1 - x0)
    return boxes, [masks.get_segment_description(number).segment_label for number in masks.segment_numbers]


def item_at(document, position):
    """Content item of a report at a position, counted from 1 at each level."""
    assert position[0] == 1
    item = document
    for index in position[1:]:
        item = item.ContentSequence[index - 1]
    return item


def concept(item):
    """Meaning of the name of a content item; empty for one without name."""
    names = item.get("ConceptNameCodeSequence")
    return names[0].CodeMeaning if names else ""


def children(item, name):
    """Children of a content item with a name."""
    return [child for child in item.get("ContentSequence", []) if concept(child) == name]


def marked(document):
    """Boxes, centres, certainties and images of the findings of a CAD report, in its order."""
    found = []
    (summary,) = children(document, "CAD Processing and ImageFindings Summary")
    for impression in summary.get("ContentSequence", []):
        (finding,) = children(impression, "Single Image Finding")
        (outline,), (centre,) = children(finding, "Outline"), children(finding, "Center")
        (certainty,) = children(finding, "Certainty of Finding")
        image = item_at(document, outline.ContentSequence[0].ReferencedContentItemIdentifier)
        assert centre.ContentSequence[0] == outline.ContentSequence[0]
        found.append(
            (
                image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID,
                box_of(outline.GraphicData),
                tuple(centre.GraphicData),
                float(certainty.MeasuredValueSequence[0].NumericValue),
            )
        )
    return found
