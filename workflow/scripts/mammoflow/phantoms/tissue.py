"""Renders the attenuation map of a breast: fat, gland, muscle, strands and masses."""

import numpy as np
from scipy import fft, ndimage

from mammoflow.phantoms.anatomy import Breast, Detector, Mass, View

# Anatomy is rendered on a grid of this step and then interpolated; it has no finer detail.
GRID_MM = 0.25
# Exponent of the power spectrum of normal breast tissue [1]_.
EXPONENT = 3.0
# Attenuation at full thickness; the values of gland and muscle are added to that of fat.
FAT, GLAND, MUSCLE = 0.30, 0.25, 0.34
# Number of overlapping layers of glandular lobes.
LAYERS = 3
# Structures converge on a point BEHIND_MM beyond the nipple, and have their true width at a distance of
# RADIUS_MM from that point.
BEHIND_MM, RADIUS_MM = 15.0, 60.0

_FILL = {1: -1.3, 2: -0.6, 3: 0.1, 4: 0.9}
_EXTENT = {1: 0.75, 2: 0.9, 3: 1.0, 4: 1.15}


def texture(
    rng: np.random.Generator,
    shape: tuple[int, int],
    step_mm: float,
    exponent: float = EXPONENT,
    largest_mm: float = 60.0,
    stretch: float = 1.0,
) -> np.ndarray:
    """Gaussian random field with a power-law spectrum like that of mammographic tissue.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random generator.
    shape : tuple of int
        Rows and columns.
    step_mm : float
        Side of a grid cell in mm.
    exponent : float
        The power at spatial frequency f falls as ``f ** -exponent``; about 3 in breasts [1]_.
    largest_mm : float
        Scale above which the power is constant.
    stretch : float
        Ratio of the length of structures along the rows of the field (towards the nipple) to their
        length across.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
        Mean 0, standard deviation 1.

    References
    ----------
    .. [1] A. E. Burgess, F. L. Jacobson, P. F. Judy, "Human observer detection experiments with
       mammograms and power-law noise", Medical Physics 28(4), 419-437 (2001).
    """
    rows, columns = (fft.next_fast_len(length, real=True) for length in shape)
    down = np.fft.fftfreq(rows, step_mm)[:, None]
    across = np.fft.rfftfreq(columns, step_mm)[None, :] * stretch
    amplitude = (down**2 + across**2 + largest_mm**-2) ** (-exponent / 4)
    amplitude[0, 0] = 0
    waves = rng.standard_normal((2, rows, columns // 2 + 1), np.float32)
    spectrum = (waves[0] + 1j * waves[1]) * amplitude.astype(np.float32)
    field = fft.irfft2(spectrum, s=(rows, columns))[: shape[0], : shape[1]]
    return ((field - field.mean()) / field.std()).astype(np.float32)


def attenuation(rng: np.random.Generator, breast: Breast, view: View, detector: Detector) -> np.ndarray:
    """Render the attenuation and thickness of a view on the coarse grid.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random generator for this image.
    breast : Breast
        Provides density and masses.
    view : View
        One of ``breast.views``.
    detector : Detector
        Its entire field is rendered, in steps of about `GRID_MM`.

    Returns
    -------
    ndarray of float32, shape (2, M, N)
        Attenuation (0 outside the breast, 0.3 for fat of full thickness) and thickness (0 to 1). The
        chest wall is at column 0 for both breasts.
    """
    shape, step = _grid(detector)
    y = ((np.arange(shape[0]) + 0.5) * step[0]).astype(np.float32)[:, None]
    x = ((np.arange(shape[1]) + 0.5) * step[1]).astype(np.float32)[None, :]
    heights = np.linspace(0, detector.height_mm, view.edge_mm.size)
    skin = _depth_below_skin(np.interp(y[:, 0], heights, view.edge_mm), x[0], step)
    thickness = _thickness(skin, view.nipple[1])

    fine = texture(rng, shape, GRID_MM, largest_mm=15.0)
    gland = _gland(rng, breast.density, view, y, x)
    strands = _strands(rng, view, y, x)
    tissue = FAT + 0.022 * fine + 0.05 * strands * (0.35 + gland) + GLAND * gland
    tissue += _islands(rng, view, y, x, breast.density) * (0.7 + 0.3 * gland)
    muscle = _sigmoid((np.interp(y[:, 0], heights, view.muscle_mm)[:, None] - x) / 0.9)
    tissue += muscle * (MUSCLE + 0.012 * fine - 0.8 * (tissue - FAT))
    for mass, contour in zip(breast.masses, view.contours, strict=True):
        _add_mass(rng, tissue, mass, contour, fine, y, x)
    tissue = thickness * tissue + 0.035 * np.exp(-(((skin - 1.0) / 0.7) ** 2)) * (skin > 0.05)
    return np.stack([tissue, thickness]).astype(np.float32)


def _grid(detector: Detector) -> tuple[tuple[int, int], tuple[float, float]]:
    shape = tuple(max(8, round(mm / GRID_MM)) for mm in (detector.height_mm, detector.width_mm))
    return shape, (detector.height_mm / shape[0], detector.width_mm / shape[1])


def _depth_below_skin(edge: np.ndarray, x: np.ndarray, step: tuple[float, float]) -> np.ndarray:
    """Distance to the skin line in mm; the borders of the field do not count as skin."""
    inside = x < edge[:, None]
    pad = ((40, 40), (80, 0))
    inside = np.pad(inside, pad, mode="edge")
    distance = ndimage.distance_transform_edt(inside, sampling=step)[40:-40, 80:]
    return ndimage.gaussian_filter(distance.astype(np.float32), 1.5)


def _thickness(skin: np.ndarray, depth: float) -> np.ndarray:
    """Fraction of the compressed thickness: constant inside, rounded off towards the skin."""
    return np.sqrt(1 - (1 - np.clip(skin / (0.28 * depth), 0, 1)) ** 2)


def _gland(rng: np.random.Generator, density: int, view: View, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Fraction of glandular tissue, 0 to 1: layers of lobes in an irregular disc behind the nipple."""
    middle_y, middle_x, half_y, half_x = view.gland
    extent = _EXTENT[density]
    radius = np.hypot((y - middle_y) / (extent * half_y), (x - middle_x) / (extent * half_x))
    gland = np.zeros(radius.shape, np.float32)
    for _ in range(LAYERS):
        lobes = _towards_nipple(rng, view, y, x, exponent=3.4, largest_mm=30.0, stretch=1.8)
        disc = _sigmoid((1 - radius + 0.25 * lobes) / 0.12)
        gland += disc * _sigmoid((1.3 * lobes + _FILL[density]) / 0.6) / LAYERS
    return gland


def _strands(rng: np.random.Generator, view: View, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Thin bright lines where a random field changes sign: ligaments, ducts and vessels."""
    field = _towards_nipple(rng, view, y, x, exponent=4.5, largest_mm=14.0, stretch=2.5)
    return np.exp(-((field / 0.12) ** 2)) * np.clip(0.6 + 0.5 * np.roll(field, 97, axis=0), 0, 1.5)


def _towards_nipple(
    rng: np.random.Generator,
    view: View,
    y: np.ndarray,
    x: np.ndarray,
    exponent: float,
    largest_mm: float,
    stretch: float,
) -> np.ndarray:
    """Texture whose structures converge on the nipple: a random field in polar coordinates."""
    dy, dx = y - view.nipple[0], x - (view.nipple[1] + BEHIND_MM)
    distance, angle = np.hypot(dy, dx) / GRID_MM, np.arctan2(dy, -dx)
    arc = (angle + np.pi / 2) * RADIUS_MM / GRID_MM
    shape = int(np.pi * RADIUS_MM / GRID_MM) + 2, int(distance.max()) + 2
    field = texture(rng, shape, GRID_MM, exponent, largest_mm, stretch)
    return ndimage.map_coordinates(field, np.stack([arc, distance]), order=1, mode="nearest")


def _islands(rng: np.random.Generator, view: View, y: np.ndarray, x: np.ndarray, density: int) -> np.ndarray:
    """Lobules and overlapping tissue that resemble masses: round to elongated, with soft edges.

    Each view has its own, since tissue that overlaps in one view lies apart in the other. Most are fainter
    than masses, some are not.
    """
    total = np.zeros((y.size, x.size), np.float32)
    middle_y, middle_x, half_y, half_x = view.gland
    for _ in range(rng.integers(2, 4 + 2 * density)):
        at = middle_y + rng.uniform(-1, 1) * half_y, middle_x + rng.uniform(-1, 1) * half_x
        width, aspect, strength = rng.uniform(1.5, 5.0), rng.uniform(1.2, 4.0), rng.uniform(0.03, 0.10)
        turn = np.arctan2(at[0] - view.nipple[0], at[1] - view.nipple[1]) + rng.normal(0, 0.5)
        rows, columns = (
            _window(axis[:, 0] if axis.shape[1] == 1 else axis[0], centre, 3 * aspect * width)
            for axis, centre in ((y, at[0]), (x, at[1]))
        )
        dy, dx = y[rows] - at[0], x[:, columns] - at[1]
        along = (dx * np.cos(turn) + dy * np.sin(turn)) / (width * aspect)
        across = (dy * np.cos(turn) - dx * np.sin(turn)) / width
        total[rows, columns] += strength * np.exp(-(np.hypot(along, across) ** 2.5))
    return total


def _window(axis: np.ndarray, centre: float, reach: float) -> slice:
    return slice(*np.searchsorted(axis, (centre - reach, centre + reach)))


def _add_mass(
    rng: np.random.Generator,
    tissue: np.ndarray,
    mass: Mass,
    contour: np.ndarray,
    fine: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
) -> None:
    """Add a mass to `tissue` in place: the thickness of an ellipsoid in its contour, with a soft margin."""
    middle = contour.mean(axis=0)
    reach = 2.2 * np.abs(contour - middle).max()
    rows, columns = _window(y[:, 0], middle[0], reach), _window(x[0], middle[1], reach)
    dy, dx = y[rows] - middle[0], x[:, columns] - middle[1]
    distance, angle = np.hypot(dy, dx), np.arctan2(dy, dx)
    offsets = contour - middle
    order = np.argsort(np.arctan2(*offsets.T))
    border = np.interp(
        angle, np.arctan2(*offsets.T)[order], np.hypot(*offsets.T)[order], period=2 * np.pi
    ).astype(np.float32)
    margin_mm = {"lobulated": 0.6, "spiculated": 0.8, "faint": 1.5}[mass.kind]
    solid = _sigmoid((border - distance) / margin_mm)
    dome = 0.4 + 0.6 * np.sqrt(np.clip(1 - (distance / border) ** 2, 0, 1))
    added = solid * dome * (1 + 0.07 * fine[rows, columns])
    if mass.kind == "spiculated":
        added = np.maximum(added, _spicules(rng, distance, angle, border))
    tissue[rows, columns] += mass.contrast * added


def _spicules(
    rng: np.random.Generator, distance: np.ndarray, angle: np.ndarray, border: np.ndarray
) -> np.ndarray:
    """Spicules: rays that start at the margin and become thinner and fainter outwards."""
    rays = np.zeros_like(distance)
    for direction in rng.uniform(-np.pi, np.pi, rng.integers(14, 26)):
        length, bend = rng.uniform(0.3, 1.0), rng.normal(0, 0.15)
        outward = np.clip((distance / border - 0.8) / length, 0, 1)
        turned = (angle - direction - bend * outward + np.pi) % (2 * np.pi) - np.pi
        width_mm = 0.25 + 0.5 * (1 - outward)
        ray = (1 - outward) * np.exp(-((distance * turned / width_mm) ** 2))
        rays = np.maximum(rays, 0.6 * ray * (np.abs(turned) < 1))
    return rays


def _sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(value, -30, 30)))


def to_detector(field: np.ndarray, detector: Detector, side: str) -> np.ndarray:
    """Interpolate a coarse field to the detector's pixels, mirrored for right breasts.

    Parameters
    ----------
    field : ndarray of float32, shape (M, N)
        Coarse grid that covers the entire field of the detector.
    detector : Detector
        Defines the pixel grid.
    side : str
        ``L`` or ``R``.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
        Cubic (Catmull-Rom) interpolation, one axis at a time.
    """
    field = _stretch(field.T, detector.columns).T
    if side == "R":
        field = field[:, ::-1]
    return _stretch(np.ascontiguousarray(field), detector.rows)


def _stretch(field: np.ndarray, length: int) -> np.ndarray:
    """Catmull-Rom interpolation of the first axis to a new length; edge values are repeated."""
    size = field.shape[0]
    position = (np.arange(length) + 0.5) * size / length - 0.5
    first = np.floor(position).astype(int)
    t = (position - first).astype(np.float32)[:, None]
    weights = (
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )
    total = np.zeros((length, *field.shape[1:]), np.float32)
    for tap, weight in enumerate(weights, start=-1):
        total += weight * field[np.clip(first + tap, 0, size - 1)]
    return total
