"""Scores candidates, by the height of their peak or by a regression learnt from the training part."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from mammoflow.base import storage
from mammoflow.base.boxes import BOX, overlap
from mammoflow.detection import candidates

# A candidate is an example of a mass if its intersection over union with one is larger. More than the
# paper asks of a hit (0.2), so that of the boxes at one place the best one gets the highest score. Chosen
# on validation parts, as the penalty was; 0.4 did nearly as well.
_HIT = 0.3

# Inverse strength of the L2 penalty; from 0.03 to 0.3 hardly anything changes.
_INVERSE_PENALTY = 0.1

Score = Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class Learnt:
    """A learnt score: the probability that a candidate fits a mass.

    It is the logistic function of a weighted sum of standardised features.

    Parameters
    ----------
    features : sequence of str
        Names of the features, in order.
    mean, deviation, weights : sequence of float
        Per feature.
    intercept : float
        Constant of the sum.
    masses, others : int
        Number of examples that it was learnt from.
    """

    features: list[str]
    mean: list[float]
    deviation: list[float]
    weights: list[float]
    intercept: float
    masses: int
    others: int

    def __call__(self, table: pd.DataFrame) -> np.ndarray:
        """Scores of candidates, (n,) float64 in (0, 1), from a table of `candidates.of_maps`.

        Their log odds are rounded to hundredths, so that a study of any size has few thresholds.
        """
        values = table[self.features].to_numpy(float)
        standard = (values - np.array(self.mean)) / np.array(self.deviation)
        return expit(np.round(standard @ np.array(self.weights) + self.intercept, 2))


def peak(table: pd.DataFrame) -> np.ndarray:
    """Scores of candidates by the height of their peak in the smoothed map, (n,) float64 in [0, 1]."""
    return table["peak"].to_numpy(float)


def learn(table: pd.DataFrame, lesions: pd.DataFrame) -> Score:
    """Learn a score from candidates of images that are not tested.

    Parameters
    ----------
    table : pandas.DataFrame
        The result of `candidates.of_maps` or `own_scale.described`; all its features are used.
    lesions : pandas.DataFrame
        Lesions of these images, or of more.

    Returns
    -------
    Learnt or function
        `peak` if no candidate fits a mass, or all do: then there is nothing to tell apart.
    """
    masses = best_overlap(table, lesions) > _HIT
    if masses.all() or not masses.any():
        return peak
    features = [name for name in table.columns if name not in ("image_id", *BOX)]
    values = table[features].to_numpy(float)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    deviation[deviation == 0] = 1
    regression = LogisticRegression(C=_INVERSE_PENALTY, max_iter=1000)
    regression.fit((values - mean) / deviation, masses)
    numbers = (each.tolist() for each in (mean, deviation, regression.coef_[0]))
    counts = int(masses.sum()), int((~masses).sum())
    return Learnt(features, *numbers, float(regression.intercept_[0]), *counts)


def best_overlap(boxes: pd.DataFrame, lesions: pd.DataFrame) -> np.ndarray:
    """Largest intersection over union of each box with a lesion of its image, (n,) float."""
    best = np.zeros(len(boxes))
    marked = dict(iter(lesions.groupby("image_id")))
    for image_id, rows in boxes.reset_index(drop=True).groupby("image_id"):
        if image_id in marked:
            best[rows.index] = overlap(rows[BOX], marked[image_id][BOX]).max(axis=1)
    return best


def scored(table: pd.DataFrame, score: Score, settings: candidates.Settings) -> pd.DataFrame:
    """Score candidates and keep the best one at each place.

    Parameters
    ----------
    table : pandas.DataFrame
        The result of `candidates.of_maps`.
    score : function
        `peak` or a `Learnt`.
    settings : candidates.Settings
        What counts as one place.

    Returns
    -------
    pandas.DataFrame
        A ``candidates`` table, by image and descending score.
    """
    # Of boxes around one peak, which `peak` gives the same score, the one at half of its height is kept.
    table = table.sort_values("fraction", key=lambda values: (values - 0.5).abs(), kind="stable")
    table = table.reset_index(drop=True)
    scores = score(table) if len(table) else np.empty(0)
    table = table[["image_id", *BOX]].assign(score=scores)
    kept = [
        rows.index[candidates.suppress(rows[BOX].to_numpy(), scores[rows.index], settings)]
        for _, rows in table.groupby("image_id")
    ]
    return table.loc[np.concatenate([np.empty(0, int), *kept])].reset_index(drop=True)


def described(score: Score, wanted: str) -> str:
    """What candidates are scored by, in words; `wanted` is the setting."""
    if isinstance(score, Learnt):
        return f"their features, learnt from {score.masses} on masses and {score.others} others"
    why = "" if wanted == "peak" else "; there were too few on masses or elsewhere to learn from"
    return f"the height of their peak{why}"


def write(score: Score, path: str | Path) -> None:
    """Write a score as JSON: that of a `Learnt`, or only the name of the feature."""
    record = asdict(score) if isinstance(score, Learnt) else {"features": ["peak"]}
    with storage.whole(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")


def parse(record: object, origin: str) -> Score:
    """Score from the content of a file made by `write`.

    Parameters
    ----------
    record : object
        Value of the JSON.
    origin : str
        Where it is from, for the message.

    Raises
    ------
    ValueError
        When it is no score.
    """
    if record == {"features": ["peak"]}:
        return peak
    try:
        score = Learnt(**record)
        numbers = np.array([score.mean, score.deviation, score.weights, [score.intercept] * len(score.mean)])
        known = all(isinstance(name, str) for name in score.features)
        if not known or numbers.shape != (4, len(score.features)) or not np.isfinite(numbers).all():
            raise ValueError("expected a mean, a deviation and a weight for each feature")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{origin}: expected a score of candidates, got something else ({error})") from error
    return score


def read(path: str | Path) -> Score:
    """Score from a file made by `write`."""
    return parse(json.loads(Path(path).read_text()), str(path))
