"""Builds content items of structured reports (PS3.3 C.17.3), where highdicom has no template.

Every function takes the relationship to the parent, the concept name, the value, and the children.
"""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code


def coded(code: Code) -> list[Dataset]:
    """A code sequence of one item (PS3.3 section 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
    item.CodeMeaning = code.meaning
    return [item]


def reference(source: Dataset) -> Dataset:
    """Class and instance of an image (PS3.3 table 10-11)."""
    item = Dataset()
    item.ReferencedSOPClassUID = str(source.SOPClassUID)
    item.ReferencedSOPInstanceUID = str(source.SOPInstanceUID)
    return item


def container(relationship: str | None, name: Code, *children: Dataset) -> Dataset:
    """A heading; the root of a document has no relationship."""
    item = _item("CONTAINER", relationship, name, children)
    item.ContinuityOfContent = "SEPARATE"
    return item


def code(relationship: str, name: Code, value: Code, *children: Dataset) -> Dataset:
    """A coded value."""
    item = _item("CODE", relationship, name, children)
    item.ConceptCodeSequence = coded(value)
    return item


def text(relationship: str, name: Code, value: str) -> Dataset:
    """A text."""
    item = _item("TEXT", relationship, name)
    item.TextValue = value
    return item


def date(relationship: str, name: Code, value: str) -> Dataset:
    """A date, ``YYYYMMDD``."""
    item = _item("DATE", relationship, name)
    item.Date = value
    return item


def time(relationship: str, name: Code, value: str) -> Dataset:
    """A time, ``HHMMSS``."""
    item = _item("TIME", relationship, name)
    item.Time = value
    return item


def uid_reference(relationship: str, name: Code, value: str) -> Dataset:
    """An identifier."""
    item = _item("UIDREF", relationship, name)
    item.UID = value
    return item


def number(relationship: str, name: Code, value: float, unit: Code) -> Dataset:
    """A number with its unit."""
    measured = Dataset()
    measured.NumericValue = f"{value:.10g}"
    measured.MeasurementUnitsCodeSequence = coded(unit)
    item = _item("NUM", relationship, name)
    item.MeasuredValueSequence = [measured]
    return item


def points(relationship: str, name: Code, kind: str, coordinates: np.ndarray, *children: Dataset) -> Dataset:
    """Spatial coordinates: (n, 2) array of ``(column, row)``; kind is ``POINT`` or ``POLYLINE``."""
    item = _item("SCOORD", relationship, name, children)
    item.GraphicType = kind
    item.GraphicData = np.asarray(coordinates, float).ravel().tolist()
    return item


def image(relationship: str, source: Dataset, *children: Dataset) -> Dataset:
    """An image, referred to by its class and instance."""
    item = _item("IMAGE", relationship, None, children)
    item.ReferencedSOPSequence = [reference(source)]
    return item


def by_reference(relationship: str, position: tuple[int, ...]) -> Dataset:
    """Another item of the same document, by its position: 1 for the root, then from 1 at each level."""
    item = Dataset()
    item.RelationshipType = relationship
    item.ReferencedContentItemIdentifier = list(position)
    return item


def _item(
    value_type: str, relationship: str | None, name: Code | None, children: tuple[Dataset, ...] = ()
) -> Dataset:
    item = Dataset()
    if relationship is not None:
        item.RelationshipType = relationship
    item.ValueType = value_type
    if name is not None:
        item.ConceptNameCodeSequence = coded(name)
    if children:
        item.ContentSequence = list(children)
    return item
