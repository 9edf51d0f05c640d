"""Draws the anatomy of synthetic breasts: outline, muscle and masses in the CC and MLO views.

Lengths are millimetres and points are ``(y, x)``. The chest wall is the line ``x = 0`` and the
breast extends to larger ``x``, as on a left mammogram; right breasts are mirrored when pixels are drawn.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import PchipInterpolator
from skimage.draw import polygon

VIEWS = ("CC", "MLO")
STRATA_CM2 = {"small": (0.3, 1.0), "medium": (1.0, 4.0), "large": (4.0, 6.5)}
STRATUM_SHARES = {"small": 0.35, "medium": 0.40, "large": 0.25}
KIND_SHARES = {"lobulated": 0.44, "spiculated": 0.40, "faint": 0.16}
# Contrast of masses is log-normal: medians, and the standard deviation of the logarithm. Against the tissue
# around them, masses are about as hard to see as those on films: "Phantoms and films" in docs/results.md.
CONTRAST = {"lobulated": 0.125, "spiculated": 0.125, "faint": 0.085}
CONTRAST_SPREAD = 0.4

_PROFILE = 1024
_ANGLES = np.linspace(0, 2 * np.pi, 96, endpoint=False)
# Skin line of an MLO view, from axilla to inframammary fold, as fractions of the field's height
# and of the breast's depth.
_OBLIQUE = np.array(
    [
        (-0.10, 0.58),
        (0.00, 0.50),
        (0.10, 0.47),
        (0.22, 0.56),
        (0.36, 0.77),
        (0.48, 0.94),
        (0.60, 1.00),
        (0.70, 0.985),
        (0.80, 0.88),
        (0.88, 0.67),
        (0.94, 0.44),
        (1.00, 0.27),
        (1.10, 0.18),
    ]
)


@dataclass(frozen=True)
class Detector:
    """The image detector.

    Parameters
    ----------
    rows, columns : int
        Number of pixels along each axis.
    pixel_mm : float
        Side of a pixel in mm.
    """

    rows: int
    columns: int
    pixel_mm: float

    @property
    def height_mm(self) -> float:
        """Height of the field in mm."""
        return self.rows * self.pixel_mm

    @property
    def width_mm(self) -> float:
        """Width of the field in mm, from the chest wall."""
        return self.columns * self.pixel_mm


@dataclass(frozen=True)
class Mass:
    """Properties of a mass that are the same in both views.

    Parameters
    ----------
    kind : str
        ``lobulated``, ``spiculated`` or ``faint``.
    stratum : str
        ``small``, ``medium`` or ``large``: the paper's strata of area, see `STRATA_CM2`.
    area_cm2 : float
        Mean projected area.
    contrast : float
        Additional attenuation at its centre; for comparison, fat of full thickness has 0.3.
    depth_mm : float
        Distance behind the nipple, the same in both views.
    """

    kind: str
    stratum: str
    area_cm2: float
    contrast: float
    depth_mm: float


@dataclass(frozen=True)
class View:
    """A breast projected on the detector.

    Parameters
    ----------
    name : str
        ``CC`` or ``MLO``.
    edge_mm : ndarray of float64, shape (N,)
        Distance of the skin line from the chest wall, at N heights evenly spaced from the top of the
        field to its bottom; not positive at heights without breast.
    muscle_mm : ndarray of float64, shape (N,)
        Distance of the edge of the pectoral muscle from the chest wall, at the same heights; negative
        at heights without muscle.
    nipple : tuple of float
        Point in mm.
    axis : tuple of float
        Unit vector from the nipple into the breast.
    gland : tuple of float
        Centre (y, x) and half axes (y, x) of the glandular disc in mm.
    contours : tuple of ndarray of float64, shape (M, 2)
        Outline of each mass of the breast, in the order of `Breast.masses`.
    """

    name: str
    edge_mm: np.ndarray
    muscle_mm: np.ndarray
    nipple: tuple[float, float]
    axis: tuple[float, float]
    gland: tuple[float, float, float, float]
    contours: tuple[np.ndarray, ...] = ()

    def moved(self, down_mm: float, height_mm: float) -> "View":
        """The same view, shifted down by `down_mm` on a field of `height_mm`."""
        heights = np.linspace(0, height_mm, _PROFILE)
        y, x, half_y, half_x = self.gland
        return replace(
            self,
            edge_mm=np.interp(heights - down_mm, heights, self.edge_mm),
            muscle_mm=np.interp(heights - down_mm, heights, self.muscle_mm),
            nipple=(self.nipple[0] + down_mm, self.nipple[1]),
            gland=(y + down_mm, x, half_y, half_x),
            contours=tuple(contour + np.array([down_mm, 0.0]) for contour in self.contours),
        )


@dataclass(frozen=True)
class Breast:
    """One breast with its masses, in both views.

    Parameters
    ----------
    side : str
        ``L`` or ``R``.
    density : int
        BI-RADS composition, 1 (fat) to 4 (dense).
    masses : tuple of Mass
        May be empty.
    views : dict of str to View
        Keyed by `VIEWS`.
    """

    side: str
    density: int
    masses: tuple[Mass, ...]
    views: dict[str, View]

    def moved(self, down_mm: float, height_mm: float) -> "Breast":
        """The same breast, repositioned for a follow-up study."""
        views = {name: view.moved(down_mm, height_mm) for name, view in self.views.items()}
        return replace(self, views=views)


def breast(
    rng: np.random.Generator, side: str, density: int, masses: int, paired: bool, detector: Detector
) -> Breast:
    """Draw a random breast of realistic size for the field.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random generator for this breast only.
    side : str
        ``L`` or ``R``.
    density : int
        BI-RADS composition, 1 to 4.
    masses : int
        Number of masses to place.
    paired : bool
        Whether the second mass touches the first, so that their bounding boxes overlap in both views.
    detector : Detector
        The outline scales with the detector's field; masses have realistic absolute sizes.

    Returns
    -------
    Breast
        Every mass lies inside the skin line, outside the muscle, and at the same depth behind the
        nipple in both views.
    """
    size = rng.uniform(0.64, 0.84)
    views = {"CC": _from_above(rng, size, detector), "MLO": _oblique(rng, size, detector)}
    placed: list[Mass] = []
    for index in range(masses):
        mass, contours = _place(rng, views, detector, beside=paired and index == 1)
        placed.append(mass)
        views = {
            name: replace(view, contours=(*view.contours, contours[name])) for name, view in views.items()
        }
    return Breast(side, density, tuple(placed), views)


def _from_above(rng: np.random.Generator, size: float, detector: Detector) -> View:
    height, width = detector.height_mm, detector.width_mm
    depth, half = size * width, rng.uniform(0.40, 0.46) * height
    middle = rng.uniform(0.47, 0.53) * height
    flatness, lean = rng.uniform(1.9, 2.4), rng.uniform(-0.15, 0.15)
    heights = np.linspace(0, height, _PROFILE)
    offset = (heights - middle) / half
    bulge = np.clip(1 - np.abs(offset) ** flatness, 0, None) ** 0.5
    edge = depth * bulge * (1 + lean * offset * bulge)
    edge[np.abs(offset) >= 1] = -1.0
    edge, nipple = _with_nipple(rng, heights, edge, depth)
    gland = (nipple[0], 0.55 * depth, rng.uniform(0.55, 0.7) * half, rng.uniform(0.36, 0.44) * depth)
    return View("CC", edge, np.full(_PROFILE, -10.0), nipple, (0.0, -1.0), gland)


def _oblique(rng: np.random.Generator, size: float, detector: Detector) -> View:
    height, width = detector.height_mm, detector.width_mm
    depth = size * width * rng.uniform(0.96, 1.04)
    shares = _OBLIQUE + rng.normal(0, (0.008, 0.009), _OBLIQUE.shape)
    heights = np.linspace(0, height, _PROFILE)
    edge = depth * PchipInterpolator(np.sort(shares[:, 0]) * height, shares[:, 1])(heights)
    edge, nipple = _with_nipple(rng, heights, edge, depth)
    top, bottom = rng.uniform(0.30, 0.44) * depth, rng.uniform(0.45, 0.72) * height
    muscle = top * (1 - (heights / bottom) ** rng.uniform(0.9, 1.3))
    tilt = np.deg2rad(rng.uniform(12, 24))
    gland = (0.93 * nipple[0], 0.6 * depth, rng.uniform(0.24, 0.3) * height, rng.uniform(0.34, 0.4) * depth)
    return View("MLO", edge, muscle, nipple, (-np.sin(tilt), -np.cos(tilt)), gland)


def _with_nipple(
    rng: np.random.Generator, heights: np.ndarray, edge: np.ndarray, depth: float
) -> tuple[np.ndarray, tuple[float, float]]:
    apex = int(np.argmax(edge))
    length, breadth = rng.uniform(0.02, 0.045) * depth, rng.uniform(0.035, 0.05) * depth
    edge = edge + length * np.exp(-(((heights - heights[apex]) / breadth) ** 4)) * (edge > 0)
    return edge, (float(heights[apex]), float(edge[apex]))


def _place(
    rng: np.random.Generator, views: dict[str, View], detector: Detector, beside: bool
) -> tuple[Mass, dict[str, np.ndarray]]:
    """Draw a mass and a position where it fits in both views; shrink it if the breast is too small."""
    kind, stratum, area = _drawn_mass(rng)
    for attempt in range(4000):
        if attempt % 200 == 199:
            area *= 0.7
            stratum = _stratum(area)
        shapes = {name: _contour(rng, kind, _area_in_view(rng, area, stratum)) for name in VIEWS}
        depth, centres = _neighbour(rng, views, shapes) if beside else _anywhere(rng, views)
        contours = {name: shapes[name] + centres[name] for name in VIEWS}
        if all(_fits(views[name], contours[name], detector, touching=beside) for name in VIEWS):
            contrast = float(rng.lognormal(np.log(CONTRAST[kind]), CONTRAST_SPREAD))
            return Mass(kind, stratum, area, contrast, depth), contours
    raise ValueError(
        f"phantoms: expected a detector that can hold a breast with masses, got a field of "
        f"{detector.height_mm:.0f} x {detector.width_mm:.0f} mm"
    )


def _drawn_mass(rng: np.random.Generator) -> tuple[str, str, float]:
    kind = str(rng.choice(list(KIND_SHARES), p=list(KIND_SHARES.values())))
    stratum = str(rng.choice(list(STRATUM_SHARES), p=list(STRATUM_SHARES.values())))
    low, high = STRATA_CM2[stratum]
    return kind, stratum, float(low * (high / low) ** rng.uniform(0.05, 0.95))


def _stratum(area_cm2: float) -> str:
    return "small" if area_cm2 < 1 else "medium" if area_cm2 <= 4 else "large"


def _area_in_view(rng: np.random.Generator, area_cm2: float, stratum: str) -> float:
    """Projected area in one view: slightly different in each view, but always in the same stratum."""
    low, high = STRATA_CM2[stratum]
    area = area_cm2 * rng.uniform(0.88, 1.12)
    return float(np.clip(area, 1.02 * low if stratum != "small" else 0.0, 0.98 * high))


def _contour(rng: np.random.Generator, kind: str, area_cm2: float) -> np.ndarray:
    """Random closed outline around the origin, shape (M, 2) in mm, of exactly the requested area."""
    orders = np.arange(2, 8 if kind == "spiculated" else 5)
    amplitudes = rng.normal(0, 0.2 / orders)
    phases = rng.uniform(0, 2 * np.pi, orders.size)
    waves = amplitudes[:, None] * np.cos(orders[:, None] * _ANGLES + phases[:, None])
    radius = np.clip(1 + waves.sum(axis=0), 0.5, 1.6)
    contour = radius[:, None] * np.stack([np.sin(_ANGLES), np.cos(_ANGLES)], axis=1)
    return contour * np.sqrt(100 * area_cm2 / area_of(contour))


def area_of(contour: np.ndarray) -> float:
    """Area inside a closed contour (shoelace formula), in the square of the contour's unit.

    Parameters
    ----------
    contour : ndarray of float, shape (M, 2)
        Vertices in order; the last one is connected to the first.

    Examples
    --------
    >>> area_of(np.array([(0, 0), (0, 2), (3, 2), (3, 0)]))
    6.0
    """
    y, x = contour.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _anywhere(
    rng: np.random.Generator, views: dict[str, View]
) -> tuple[float, dict[str, tuple[float, float]]]:
    depth = rng.uniform(0.15, 0.85) * views["CC"].nipple[1]
    aside = {name: rng.uniform(-1.1, 1.1) * views[name].gland[2] for name in VIEWS}
    return depth, {name: _at(views[name], depth, aside[name]) for name in VIEWS}


def _at(view: View, depth: float, aside: float) -> tuple[float, float]:
    """Point at distance `depth` behind the nipple along the view's axis and `aside` below that axis."""
    down, across = view.axis
    return view.nipple[0] + depth * down - aside * across, view.nipple[1] + depth * across + aside * down


def _neighbour(
    rng: np.random.Generator, views: dict[str, View], shapes: dict[str, np.ndarray]
) -> tuple[float, dict[str, tuple[float, float]]]:
    """Centres diagonally next to the first mass: the boxes overlap, the outlines barely do."""
    direction = rng.choice((-1, 1), size=2) * np.deg2rad(45)
    centres = {}
    for name, turn in zip(VIEWS, direction, strict=True):
        first = views[name].contours[0]
        apart = 0.95 * (np.sqrt(area_of(first) / np.pi) + np.sqrt(area_of(shapes[name]) / np.pi))
        centres[name] = tuple(first.mean(axis=0) + apart * np.array([np.sin(turn), np.cos(turn)]))
    return float(views["CC"].nipple[1] - centres["CC"][1]), centres


def _fits(view: View, contour: np.ndarray, detector: Detector, touching: bool) -> bool:
    y, x = contour.T
    border, skin = 0.03 * detector.height_mm, 0.02 * detector.width_mm
    heights = np.linspace(0, detector.height_mm, _PROFILE)
    inside = y.min() > border and y.max() < detector.height_mm - border and x.min() > skin
    inside = inside and bool(np.all(x < np.interp(y, heights, view.edge_mm) - skin))
    middle_y, middle_x = contour.mean(axis=0)
    off_muscle = middle_x > np.interp(middle_y, heights, view.muscle_mm) + skin
    apart = touching or not any(_overlap(contour, other) for other in view.contours)
    return bool(inside and off_muscle and apart)


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the bounding boxes of two contours overlap."""
    return bool(np.all((one.min(axis=0) < other.max(axis=0)) & (other.min(axis=0) < one.max(axis=0))))


def breast_mask(view: View, side: str, detector: Detector) -> np.ndarray:
    """True mask of the breast.

    Parameters
    ----------
    view : View
        A view of the breast.
    side : str
        ``L`` or ``R``; right breasts are mirrored.
    detector : Detector
        Defines the pixel grid.

    Returns
    -------
    ndarray of bool, shape (rows, columns)
        Pixels whose centre lies inside the skin line, muscle included.
    """
    heights = np.linspace(0, detector.height_mm, _PROFILE)
    rows_mm = (np.arange(detector.rows) + 0.5) * detector.pixel_mm
    columns_mm = (np.arange(detector.columns) + 0.5) * detector.pixel_mm
    mask = columns_mm < np.interp(rows_mm, heights, view.edge_mm)[:, None]
    return mask if side == "L" else mask[:, ::-1]


def pixel_contour(contour: np.ndarray, side: str, detector: Detector) -> np.ndarray:
    """Contour in pixel coordinates of the image, shape (M, 2) as (y, x), pixel centres at integers."""
    pixels = contour / detector.pixel_mm - 0.5
    if side == "R":
        pixels[:, 1] = detector.columns - 1 - pixels[:, 1]
    return pixels


def mass_mask(contour: np.ndarray, side: str, detector: Detector) -> np.ndarray:
    """True mask of a mass.

    Parameters
    ----------
    contour : ndarray of float, shape (M, 2)
        One of `View.contours`, in mm.
    side : str
        ``L`` or ``R``.
    detector : Detector
        Defines the pixel grid.

    Returns
    -------
    ndarray of bool, shape (rows, columns)
        Pixels whose centre lies inside the contour.
    """
    mask = np.zeros((detector.rows, detector.columns), bool)
    mask[polygon(*pixel_contour(contour, side, detector).T, shape=mask.shape)] = True
    return mask
