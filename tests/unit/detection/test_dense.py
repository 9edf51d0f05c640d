from dataclasses import dataclass, replace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from scipy import ndimage

from mammoflow.base import storage
from mammoflow.breasts.geometry import Geometry
from mammoflow.detection import classification, dense, mpm
from mammoflow.networks import architectures, backbones, normalization
from mammoflow.patches import local_contrast, sliding_windows
from mammoflow.patches.sliding_windows import Windows

FULL = 4095


def unpadded(window, head):
    """A network without zero padding; a window of 22 pixels has 4×4 places, 4 pixels apart."""
    image = keras.Input((window, window, 1), name="patch")
    inner = x = keras.Input((window, window, 3))
    x = layers.Conv2D(4, 3, 2, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(8, 4, 2, activation="relu")(x)
    body = keras.Model(inner, x, name="body")
    features = head(body(layers.Concatenate()([image, image, image])))
    return keras.Model(image, layers.Dense(2, "softmax", name="probabilities")(features))


def two_layers(features):
    return layers.Dense(9, "tanh")(layers.GlobalAveragePooling2D()(features))


def highest(features):
    return layers.Dropout(0.5)(layers.GlobalMaxPooling2D()(features))


def small(head, window=22):
    """An unpadded network whose answers to grey values from 0 to 255 are not all 0 or 1."""
    keras.utils.set_random_seed(4)
    model = unpadded(window, head)
    for layer in backbones.body(model).layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign([20, -10, 5, 0])
            layer.moving_variance.assign([60.0**2] * 4)
    return model


HEADS = {"average": architectures.average, "two layers": two_layers, "highest": highest}
HEADS["places"] = architectures.network("compact").head
MODELS = {name: small(head) for name, head in HEADS.items()}


@dataclass(frozen=True)
class Image:
    pixels: np.ndarray
    breast: np.ndarray
    lesions: np.ndarray
    masses: int
    geometry: Geometry


def an_image(seed, shape, share=0.8):
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, FULL + 1, shape).astype(np.uint16)
    breast = np.zeros(shape, bool)
    breast[shape[0] // 5 :, : max(1, round(share * shape[1]))] = True
    geometry = Geometry(*shape, 0, 0, *shape, mirrored=False, factor=1.0)
    lesions = np.zeros(shape, np.uint8)
    return Image(pixels, breast, lesions, 0, geometry)


def assert_same_grids(model, store, windows, mirrored=False, **options):
    """Dense maps are those of windows: places, answers, and which windows are left out."""
    models = model if isinstance(model, list) else [model]
    expected = classification.grids(models, store, list(store), windows, "scale", size=16, mirrored=mirrored)
    found = dense.grids(models, store, list(store), windows, "scale", mirrored=mirrored, **options)
    for (name, grid), (found_name, found_grid) in zip(expected, found, strict=True):
        assert name == found_name
        assert found_grid.probabilities.dtype == np.float32
        np.testing.assert_array_equal(found_grid.centres_y, grid.centres_y)
        np.testing.assert_array_equal(found_grid.centres_x, grid.centres_x)
        np.testing.assert_array_equal(found_grid.breast, grid.breast)
        np.testing.assert_allclose(found_grid.probabilities, grid.probabilities, atol=2e-6)
        np.testing.assert_array_equal(found_grid.probabilities > 0, grid.probabilities > 0)
        yield grid


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("edge", sliding_windows.EDGES)
def test_without_padding_dense_maps_are_those_of_windows(head, edge):
    (grid,) = assert_same_grids(MODELS[head], {"a": an_image(1, (70, 61))}, Windows(22, 4, edge))
    assert grid.probabilities.size > 80
    assert np.ptp(grid.probabilities[grid.probabilities > 0]) > 0.01


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_several_networks_and_mirrored_views_are_averaged_alike(stride):
    networks, store = [MODELS["average"], MODELS["highest"]], {"a": an_image(1, (70, 61))}
    windows = Windows(22, stride, "centred")
    (both,) = assert_same_grids(networks, store, windows, mirrored=True, pixels=2000)
    alone = [
        next(assert_same_grids(network, {"a": image}, windows)).probabilities
        for network in networks
        for image in store.values()
    ]
    (upright,) = assert_same_grids(networks, store, windows)
    np.testing.assert_allclose(upright.probabilities, np.mean(alone, axis=0), atol=2e-6)
    assert np.abs(both.probabilities - upright.probabilities).max() > 1e-3


@settings(max_examples=20, deadline=None)
@given(
    rows=st.integers(1, 90),
    columns=st.integers(1, 90),
    stride=st.sampled_from([1, 2, 4, 8, 12]),
    edge=st.sampled_from(sliding_windows.EDGES),
    pixels=st.sampled_from([1, 2000, 2**21]),
)
def test_any_shape_step_edge_and_size_of_tiles(rows, columns, stride, edge, pixels):
    store = {"a": an_image(rows, (rows, columns))}
    assert list(assert_same_grids(MODELS["average"], store, Windows(22, stride, edge), pixels=pixels))


def test_images_keep_their_order_and_those_without_windows_their_place():
    tiny, some = an_image(2, (12, 40)), an_image(3, (50, 40))
    empty = an_image(4, (40, 40))
    empty.breast[:] = False
    store = {"a": tiny, "b": some, "c": empty, "d": some, "e": tiny}
    grids = list(assert_same_grids(MODELS["places"], store, Windows(22, 4, "inside")))
    assert [bool(grid.probabilities.any()) for grid in grids] == [False, True, False, True, False]
    told = []
    grids = dense.grids(
        [MODELS["places"]], {"a": tiny}, ["a"], Windows(22, 4, "inside"), "scale", tell=told.append
    )
    assert [image_id for image_id, _ in grids] == ["a"]
    assert told == []


@pytest.mark.parametrize("wanted", [3, 4, 5, 7, 11])
def test_the_step_is_one_that_the_network_has(wanted):
    own = dense.step(wanted, 4)
    assert own <= wanted
    assert own % 4 == 0 or 4 % own == 0
    image = an_image(5, (60, 60))
    ((_, grid),) = dense.grids(
        [MODELS["average"]], {"a": image}, ["a"], Windows(22, wanted, "centred"), "scale"
    )
    assert set(np.diff(grid.centres_y)) == {own}


def test_a_tile_sees_no_more_than_it_may():
    shapes = []
    original = dense.inference.Compiled.__call__

    class Seen(dense.inference.Compiled):
        def __call__(self, patches):
            shapes.append(patches.shape)
            return original(self, patches)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense.inference, "Compiled", Seen)
        image = an_image(6, (400, 120))
        list(
            dense.grids(
                [MODELS["average"]], {"a": image}, ["a"], Windows(22, 4, "inside"), "scale", pixels=8000
            )
        )
    assert len(shapes) > 5
    assert max(rows * columns for _, rows, columns, _ in shapes) <= 8000


def test_per_window_normalisation_is_refused():
    with pytest.raises(ValueError, match="normalization other than 'gcn'"):
        next(dense.grids([MODELS["average"]], {}, [], Windows(22, 4, "inside"), "gcn"))


def flattened(features):
    return layers.Flatten()(features)


def squeezed(features):
    """Global pooling of which the result is multiplied with the features: not for each window."""
    squeeze = layers.GlobalAveragePooling2D(keepdims=True)(features)
    return layers.GlobalAveragePooling2D()(layers.Multiply()([features, squeeze]))


@pytest.mark.parametrize("head", [flattened, squeezed])
def test_heads_that_have_no_dense_form_are_refused(head):
    with pytest.raises(ValueError, match="cannot make dense maps"):
        dense.convolutional(small(head))


# -- The networks of the project

NETWORKS = [
    ("compact", 48, 16),
    ("residual", 48, 16),
    ("vgg16", 48, 32),
    ("resnet50", 64, 32),
    ("inceptionv3", 107, 32),
]


@pytest.mark.parametrize(("name", "window", "own"), NETWORKS)
def test_a_network_has_its_own_answers_at_its_own_stride(name, window, own):
    """One window has the answer of the network itself; shifting the image shifts the answers."""
    keras.utils.set_random_seed(5)
    model = backbones.build(name, window)
    network = dense.convolutional(model)
    assert dense.stride(network, window) == own
    generator = np.random.default_rng(6)
    image = generator.normal(size=(1, window + 12 * own, window, 1)).astype(np.float32)
    one = network(image[:, :window], training=False).numpy()
    np.testing.assert_allclose(one[:, 0, 0], model(image[:, :window], training=False).numpy(), atol=1e-5)
    whole, shifted = (network(part, training=False).numpy() for part in (image, image[:, own:]))
    assert whole.shape == (1, 13, 1, 2)
    middle = slice(4, -4)  # far enough from the zeros beyond both ends
    np.testing.assert_allclose(shifted[:, middle], whole[:, 1:][:, middle], atol=1e-3)


def test_a_padded_network_agrees_with_its_windows_and_in_the_right_places():
    """With random weights, the correlation measured is 0.93; zeros surround each window, but not the map."""
    keras.utils.set_random_seed(0)
    model = backbones.build("compact", 224)
    noise = np.random.default_rng(0).normal(size=(352, 352))
    cloudy = sum(ndimage.gaussian_filter(noise, width) * width for width in (1, 4, 16))
    image = replace(an_image(8, (352, 352)), pixels=np.clip(2000 + 800 * cloudy, 0, 4095).astype(np.uint16))
    image.breast[:] = True
    store = local_contrast.of({"a": image}, "local", 224)
    learn_statistics(model, store["a"].pixels)
    windows, whole = (
        next(way.grids([model], store, ["a"], Windows(224, 16, "inside"), "local"))[1].probabilities
        for way in (classification, dense)
    )
    assert windows.shape == (9, 9)
    assert correlation(whole, windows) > 0.85
    for moved in (correlation(whole[1:], windows[:-1]), correlation(whole[:, 1:], windows[:, :-1])):
        assert moved < correlation(whole, windows) - 0.1


def learn_statistics(model, stored):
    """Give batch normalisation the statistics of some windows, as training would."""
    for layer in backbones.body(model).layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    begin = np.array([[y, x] for y in (0, 64, 128) for x in (0, 64, 128)])
    cuts = sliding_windows.cut(stored, begin, 224)
    model(normalization.local(cuts)[..., None], training=True)


def correlation(one, other):
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


def test_maps_of_the_dense_grid_can_be_stored(tmp_path):
    image = an_image(9, (60, 50))
    ((name, grid),) = dense.grids(
        [MODELS["average"]], {"a": image}, ["a"], Windows(22, 2, "centred"), "scale"
    )
    with storage.create_hdf5(tmp_path / "maps.h5") as file:
        mpm.write_grid(file, name, grid)
    with storage.open_hdf5(tmp_path / "maps.h5") as file:
        np.testing.assert_array_equal(mpm.read_grid(file, "a").map(), grid.map())
