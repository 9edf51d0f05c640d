import itertools
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoflow.breasts.geometry import Geometry
from mammoflow.detection import classification, components, mpm
from mammoflow.networks import backbones, normalization
from mammoflow.patches import sliding_windows
from mammoflow.patches.bank import Batch

# Other random weights may round a little beyond the tolerance.
keras.utils.set_random_seed(1)
MODEL = backbones.build("compact", 32)
PATCHES = np.random.default_rng(0).integers(0, 4096, (40, 32, 32)).astype(np.uint16)
LOW, HIGH = np.zeros(40, np.uint16), np.full(40, 4095, np.uint16)


@pytest.fixture(scope="module", params=normalization.KINDS)
def kind(request):
    return request.param


def expected(kind):
    x = normalization.normalize(PATCHES, LOW, HIGH, kind)[..., None]
    return MODEL(x, training=False).numpy()[:, backbones.MASS]


def test_probability_is_that_of_mass(kind):
    found = classification.probabilities([MODEL], [Batch(PATCHES, LOW, HIGH)], kind)
    assert (found.shape, found.dtype) == ((40,), np.float32)
    np.testing.assert_allclose(found, expected(kind), atol=1e-5)


@settings(max_examples=3, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=4), st.integers(1, 64))
def test_how_patches_are_batched_does_not_matter(cuts, size):
    edges = [0, *sorted(cuts), 40]
    rows = [slice(*pair) for pair in itertools.pairwise(edges)]
    batches = [Batch(PATCHES[row], LOW[row], HIGH[row]) for row in rows]
    found = classification.probabilities([MODEL], batches, "gcn", size=size)
    np.testing.assert_allclose(found, expected("gcn"), atol=1e-5)


def test_no_patches_no_probabilities():
    told = []
    assert classification.probabilities([MODEL], [], "gcn", tell=told.append).shape == (0,)
    assert told == []


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_what_is_computed_in_is_told(precision):
    told = []
    classification.probabilities([MODEL], [Batch(PATCHES, LOW, HIGH)] * 2, "gcn", precision, 16, told.append)
    assert [network.policy for network in told] == [precision]


def test_sweep_cuts_all_windows_of_the_map_in_order():
    breast = np.zeros((50, 40), bool)
    breast[10:, :30] = True
    pixels = np.random.default_rng(1).integers(0, 4096, breast.shape).astype(np.uint16)
    image = SimpleNamespace(pixels=pixels, breast=breast, lesions=np.zeros(breast.shape, np.uint8))
    windows = sliding_windows.Windows(16, 5, "centred")
    swept = list(classification.sweep(image, windows, size=7))
    begin = sliding_windows.begins(sliding_windows.supporting(breast, windows), breast.shape, windows)
    np.testing.assert_array_equal(
        np.concatenate([batch.patches for batch in swept]), sliding_windows.cut(pixels, begin, 16)
    )
    assert {(batch.minimum[0], batch.maximum[0]) for batch in swept} == {
        (pixels[breast].min(), pixels[breast].max())
    }
    assert max(len(batch.patches) for batch in swept) == 7


# -- Grids of whole images

FULL = 4095


def centre_answers():
    """A network whose answer is the central grey value of a patch, scaled by the breast's range to 0–1."""
    patch = keras.Input((16, 16, 1))
    centre = keras.layers.Flatten()(keras.layers.Cropping2D(((8, 7), (8, 7)))(patch))
    mass = keras.layers.Rescaling(1 / 255)(centre)
    return keras.Model(patch, keras.layers.Concatenate()([keras.layers.Rescaling(-1, 1)(mass), mass]))


CENTRE_ANSWERS = centre_answers()


def an_image(seed, shape, share=0.7):
    """Random grey values; a breast that begins and ends between window centres, its whole range in it."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, FULL + 1, shape).astype(np.uint16)
    breast = np.zeros(shape, bool)
    breast[3:, : round(share * shape[1])] = True
    pixels[4, :2] = 0, FULL
    geometry = Geometry(*shape, 0, 0, *shape, mirrored=False, factor=1.0)
    lesions = np.zeros(shape, np.uint8)
    return SimpleNamespace(pixels=pixels, breast=breast, lesions=lesions, masses=0, geometry=geometry)


def maps(store, image_ids, windows, size=16):
    grids = classification.grids([CENTRE_ANSWERS], store, image_ids, windows, "scale", size=size)
    return {image_id: grid.map() for image_id, grid in grids}


@pytest.mark.parametrize("edge", sliding_windows.EDGES)
@pytest.mark.parametrize("size", [7, 64])
def test_map_is_the_networks_answer_at_the_centres_of_its_windows(edge, size):
    windows = sliding_windows.Windows(16, 5, edge)
    store = {"b": an_image(1, (50, 41)), "a": an_image(2, (38, 64))}
    found = maps(store, ["b", "a"], windows, size)
    assert list(found) == ["b", "a"]
    for image_id, values in found.items():
        image = store[image_id]
        top, left = sliding_windows.grid(image.breast.shape, windows)
        for y in top + 8:
            for x in left + 8:
                if image.breast[y, x]:
                    assert values[y, x] == pytest.approx(image.pixels[y, x] / FULL, abs=1e-5)
        y, x = top[3] + 8, left[2] + 8
        between = (image.pixels[y, x] * 3.0 + image.pixels[y, x + 5] * 2.0) / 5 / FULL
        assert values[y, x + 2] == pytest.approx(between, abs=1e-5)


@pytest.mark.parametrize("edge", sliding_windows.EDGES)
@pytest.mark.parametrize("stride", [5, 13])
def test_map_is_that_of_all_windows_up_to_the_skin(edge, stride):
    windows = sliding_windows.Windows(16, stride, edge)
    rows, columns = 60, 70
    image = an_image(3, (rows, columns))
    y, x = np.ogrid[:rows, :columns]
    image.breast = (y - 30.3) ** 2 / 21**2 + x**2 / 44.4**2 < 1
    image.pixels[30, :2] = 0, FULL
    top, left = sliding_windows.grid(image.breast.shape, windows)
    grey = image.pixels[image.breast]
    low, high = (np.full(len(top) * len(left), extreme) for extreme in (grey.min(), grey.max()))
    begin = sliding_windows.begins(np.ones((len(top), len(left)), bool), image.breast.shape, windows)
    batch = Batch(sliding_windows.cut(image.pixels, begin, 16), low, high)
    answers = classification.probabilities([CENTRE_ANSWERS], [batch], "scale").reshape(len(top), len(left))
    expected = mpm.probability_map(answers, top + 8, left + 8, image.breast)
    assert not sliding_windows.supporting(image.breast, windows).all()
    np.testing.assert_array_equal(maps({"a": image}, ["a"], windows)["a"], expected)


def test_images_without_windows_keep_their_place():
    windows = sliding_windows.Windows(16, 5, "inside")
    none, some = an_image(4, (12, 40)), an_image(5, (40, 40))
    store = {"a": none, "b": some, "c": none, "d": none}
    found = maps(store, list("abcd"), windows, 9)
    assert list(found) == list("abcd")
    assert [bool(values.any()) for values in found.values()] == [False, True, False, False]
    assert list(maps(store, ["a", "c"], windows)) == ["a", "c"]
    assert maps(store, [], windows) == {}


def boxes_of(store, windows):
    """Boxes of the images' maps at every threshold, by image."""
    found = {}
    for image_id, values in maps(store, sorted(store), windows).items():
        quantised = components.quantise(values, 100)
        geometry = store[image_id].geometry
        found[image_id] = components.rows(components.find(quantised), 100, image_id, geometry)
    return found


@pytest.mark.parametrize("shape", [(9, 40), (40, 11), (10, 12), (1, 1)])
def test_a_window_larger_than_the_image(shape):
    store = {"a": an_image(7, (40, 40))}
    pixels = np.full(shape, FULL, np.uint16)
    pixels[0, 0] = 0
    geometry = Geometry(*shape, 0, 0, *shape, mirrored=False, factor=1.0)
    whole = np.ones(shape, bool)
    store["b"] = SimpleNamespace(pixels=pixels, breast=whole, lesions=pixels * 0, masses=0, geometry=geometry)
    inside = boxes_of(store, sliding_windows.Windows(16, 5, "inside"))
    assert len(inside["a"])
    assert inside["b"].empty
    centred = boxes_of(store, sliding_windows.Windows(16, 5, "centred"))
    if shape == (1, 1):
        assert centred["b"].empty  # a constant breast is 0
    else:
        lowest = centred["b"][centred["b"]["threshold"] == 0]
        assert lowest[["y0", "x0", "y1", "x1"]].to_numpy().tolist() == [[0, 0, *shape]]


@pytest.mark.parametrize("edge", sliding_windows.EDGES)
def test_an_image_without_a_breast_has_an_empty_map(edge):
    image = an_image(8, (40, 40))
    image.breast = np.zeros((40, 40), bool)
    found = boxes_of({"a": image, "b": an_image(9, (40, 40))}, sliding_windows.Windows(16, 5, edge))
    assert found["a"].empty
    assert len(found["b"])


def test_a_map_below_the_lowest_threshold_has_no_box():
    image = an_image(10, (40, 40))
    image.pixels[:] = 7
    image.pixels[0, 0] = FULL  # beyond every window centre
    image.breast[0, 0] = True
    assert boxes_of({"a": image}, sliding_windows.Windows(16, 5, "inside"))["a"].empty


def test_a_mirrored_view_shows_windows_upside_down():
    """The network answers with the pixel at row 8 of 16, which is row 7 of the mirrored window."""
    windows = sliding_windows.Windows(16, 4, "inside")
    image = an_image(3, (48, 40), share=1)
    grids = classification.grids([CENTRE_ANSWERS], {"a": image}, ["a"], windows, "scale", mirrored=True)
    grid = dict(grids)["a"]
    y, x = (centres[1:3].astype(int) for centres in (grid.centres_y, grid.centres_x))
    seen = (image.pixels[np.ix_(y, x)].astype(float) + image.pixels[np.ix_(y - 1, x)]) / 2 / FULL
    np.testing.assert_allclose(grid.probabilities[1:3, 1:3], seen, atol=1e-5)


def test_images_are_read_while_maps_are_made():
    read = []

    class Store(dict):
        def __getitem__(self, image_id):
            read.append(image_id)
            return super().__getitem__(image_id)

    names = [f"{number:02d}" for number in range(40)]
    store = Store(dict.fromkeys(names, an_image(6, (60, 60))))
    grids = classification.grids(
        [CENTRE_ANSWERS], store, names, sliding_windows.Windows(16, 5, "inside"), "scale", size=8
    )
    assert next(grids)[0] == "00"
    assert len(read) < 10
    assert [image_id for image_id, _ in grids] == names[1:]
    assert read == names
