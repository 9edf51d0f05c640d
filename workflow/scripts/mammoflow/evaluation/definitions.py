"""Defines the rules by which boxes are matched to lesions and counted.

Published results differ in most of these choices. Therefore each choice is a setting, and a table compares
the results of the same boxes under all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import pandas as pd

MODES = ("paper", "candidate")
HITS = ("iou-above", "iou-at-least", "centre-in-box")
DUPLICATES = ("ignore", "false-positive")
LESIONS = ("merged", "unmerged")
FPI_OVER = ("all", "mass", "normal")
UNITS = ("lesion", "image", "breast", "patient")
SIZES = ("small", "medium", "large")
PATHOLOGIES = ("malignant", "benign")
SUBSETS = ("all", *SIZES, *PATHOLOGIES)

# The hit rules of the protocol table; the last one is used in the paper for its last operating point.
IOUS = (0.1, 0.2, 0.3, 0.5)
STRICT_IOU = IOUS[-1]

_CHOICES = {
    "mode": MODES,
    "hit": HITS,
    "duplicates": DUPLICATES,
    "lesions": LESIONS,
    "fpi_over": FPI_OVER,
    "unit": UNITS,
    "subset": SUBSETS,
}


@dataclass(frozen=True)
class Definition:
    """One set of rules for counting hits and false positives.

    Parameters
    ----------
    mode : {"paper", "candidate"}
        Source of the boxes. ``paper``: the components of the map at each threshold; components merge as
        the threshold decreases, so a hit can be lost and the raw curve is not monotone. ``candidate``: a
        fixed set of boxes with scores, each present at every threshold up to its score (classical FROC).
    hit : {"iou-above", "iou-at-least", "centre-in-box"}
        A box hits a lesion if their intersection over union (IoU) is above ``iou`` (the paper), if it is
        at least ``iou`` (COCO, nnDetection, picai_eval), or if the centre of the box lies in the lesion's
        box (Ribli et al. 2018).
    iou : float
        Threshold of the first two rules.
    duplicates : {"ignore", "false-positive"}
        How an additional box on a lesion counts: not at all (LUNA16, Duke, picai_eval), or as a false
        positive (COCO).
    lesions : {"merged", "unmerged"}
        Contours with overlapping boxes count as one lesion, or each contour counts as a lesion.
    fpi_over : {"all", "mass", "normal"}
        Images whose false positives are counted and averaged.
    unit : {"lesion", "image", "breast", "patient"}
        Unit of the sensitivity: a unit is detected if one of its lesions is hit.
    subset : {"all", "small", "medium", "large", "malignant", "benign"}
        Lesions that are counted; boxes on other lesions are ignored.

    Raises
    ------
    ValueError
        When a setting is invalid.
    """

    mode: str = "paper"
    hit: str = "iou-above"
    iou: float = 0.2
    duplicates: str = "ignore"
    lesions: str = "merged"
    fpi_over: str = "all"
    unit: str = "lesion"
    subset: str = "all"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                expected = " or ".join(choices)
                raise ValueError(f"evaluation: expected {name} of {expected}, got '{getattr(self, name)}'")
        if not 0 <= self.iou < 1:
            raise ValueError(f"evaluation: expected iou in [0, 1), got {self.iou}")
        if self.hit == "iou-at-least" and not self.iou:
            raise ValueError("evaluation: expected iou above 0 with hit iou-at-least, got 0")

    @property
    def key(self) -> dict[str, str | float]:
        """Values of the key columns that identify the definition in a table."""
        return asdict(self)

    @property
    def rule(self) -> str:
        """The hit rule as printed in tables."""
        if self.hit == "centre-in-box":
            return "centre in box"
        return f"IoU {'>' if self.hit == 'iou-above' else '≥'} {self.iou:g}"

    def rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """Rows of a table of `froc` that use this definition."""
        chosen = np.isclose(table["iou"].to_numpy(float), self.iou)
        for name in _CHOICES:
            chosen &= table[name].to_numpy() == getattr(self, name)
        return table[chosen]

    def difference(self, other: "Definition") -> str:
        """Differences from another definition as printed in tables; empty if there are none."""
        words = {
            "mode": f"boxes of mode {self.mode}",
            "hit": self.rule,
            "duplicates": {"ignore": "duplicates ignored", "false-positive": "duplicates false"}[
                self.duplicates
            ],
            "lesions": f"{self.lesions} lesions",
            "fpi_over": f"FPI over {self.fpi_over} images",
            "unit": f"per {self.unit}",
            "subset": f"{self.subset} lesions only" if self.subset != "all" else "all lesions",
        }
        changed = {
            field.name for field in fields(self) if getattr(self, field.name) != getattr(other, field.name)
        }
        if "iou" in changed:
            changed.add("hit")
        return ", ".join(text for name, text in words.items() if name in changed)


@dataclass(frozen=True)
class Evaluation:
    """Settings of the evaluation, as in the config section ``detection: evaluation``.

    Parameters
    ----------
    mode, hit, iou, duplicates, lesions, fpi_over
        See `Definition`.
    operating_points : sequence of float
        FPI at which the TPR is reported.
    size_strata_cm2 : sequence of two floats
        Small lesions have an area below the first value, large lesions above the second.
    bootstrap : int
        Number of bootstrap samples of the patients of each fold.

    Raises
    ------
    ValueError
        When a setting is invalid.
    """

    mode: str
    hit: str
    iou: float
    duplicates: str
    lesions: str
    fpi_over: str
    operating_points: Sequence[float]
    size_strata_cm2: Sequence[float]
    bootstrap: int

    def __post_init__(self) -> None:
        edges = tuple(self.size_strata_cm2)
        if len(edges) != len(SIZES) - 1 or not 0 < edges[0] <= edges[1]:
            raise ValueError(f"evaluation: expected two ascending size_strata_cm2, got {list(edges)}")
        self.definition  # noqa: B018, its own checks

    @property
    def definition(self) -> Definition:
        """The configured definition, per lesion and over all lesions."""
        return Definition(self.mode, self.hit, self.iou, self.duplicates, self.lesions, self.fpi_over)

    def definition_of(self, chain: str) -> Definition:
        """The configured definition for the boxes of a chain; external boxes always use ``candidate``."""
        return replace(self.definition, mode="candidate") if is_external(chain) else self.definition

    def in_modes(self, chain: str) -> list[Definition]:
        """The configured definition in each mode that the boxes of a chain have, the paper's first."""
        modes = ("candidate",) if is_external(chain) else MODES
        return [replace(self.definition, mode=mode) for mode in modes]

    def drawn(self) -> list[Definition]:
        """Definitions whose complete curves are stored: by size and with a stricter IoU, in both modes."""
        own = self.definition
        shown = [*(replace(own, subset=subset) for subset in ("all", *SIZES)), self._at_iou(STRICT_IOU)]
        return _unique(replace(each, mode=mode) for mode in MODES for each in shown)

    def protocol(self) -> list[Definition]:
        """The configured definition, and each definition that differs from it in one setting."""
        return _unique(self._variations())

    def _variations(self) -> Iterator[Definition]:
        own = self.definition
        yield own
        yield from (replace(own, mode=mode) for mode in MODES)
        yield from map(self._at_iou, IOUS)
        yield from (replace(own, hit=hit) for hit in HITS if own.iou or hit != "iou-at-least")
        for name in ("duplicates", "lesions", "fpi_over", "unit", "subset"):
            yield from (replace(own, **{name: choice}) for choice in _CHOICES[name])

    def _at_iou(self, iou: float) -> Definition:
        own = self.definition
        return replace(own, iou=iou, hit="iou-above" if own.hit == "centre-in-box" else own.hit)


def is_external(chain: str) -> bool:
    """Whether a chain (``dataset/external/name``) stands for the boxes of an external system."""
    return chain.split("/")[1] == "external"


def _unique(definitions: Sequence[Definition] | Iterator[Definition]) -> list[Definition]:
    return list(dict.fromkeys(definitions))
