"""Batches of the feed depend only on seed, epoch and position, and not on where they are augmented."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from mammoflow.networks import backbones, normalization
from mammoflow.patches import bank, cutting, sliding_windows
from mammoflow.training import augmentation, feed
from mammoflow.training.augmentation import Augmentation
from mammoflow.training.feed import Feed

WINDOW, BATCH, STEPS, SEED = 32, 8, 6, 5
PAPER = Augmentation(flip=True, rotation_degrees=30, scale=(0.75, 1.25))


def image(number):
    pixels = np.random.default_rng(number).integers(200, 4096, (96, 80)).astype(np.uint16)
    breast = np.ones(pixels.shape, bool)
    breast[:, 70:] = False
    lesions = np.zeros(pixels.shape, np.uint8)
    lesions[30:60, 20:50] = number % 2
    return SimpleNamespace(pixels=pixels, breast=breast, lesions=lesions, masses=number % 2)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("bank") / "fold-0.h5"
    store = {f"{n:02}": image(n) for n in range(12)}
    parts = {part: sorted(store)[4 * n : 4 * n + 4] for n, part in enumerate(bank.PARTS)}
    cutting.write(
        path,
        {0: parts},
        store,
        store,
        sliding_windows.Windows(WINDOW, 12, "centred"),
        "normal-images",
        (0, "bank"),
    )
    return path


@pytest.fixture(scope="module")
def part(path):
    with bank.open_bank(path, 0) as opened:
        yield opened.train


def drawn(part, steps=STEPS, batches=2 * STEPS, first=0, normalization="gcn", **changes):
    stream = Feed(part, BATCH, normalization, **changes).training(steps, PAPER, SEED, first)
    return list(stream.take(batches).as_numpy_iterator())


def assert_same(ours, theirs):
    assert len(ours) == len(theirs) > 0
    for one, other in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("inside", [False, True])
def test_workers_do_not_change_what_is_drawn(part, inside):
    one, two, five = (drawn(part, workers=workers, inside=inside) for workers in (1, 2, 5))
    assert_same(two, one)
    assert_same(five, one)


@pytest.mark.parametrize("inside", [False, True])
def test_begun_at_any_epoch_the_rest_is_the_same(part, inside):
    whole = drawn(part, batches=4 * STEPS, inside=inside)
    for first in (1, 3):
        assert_same(drawn(part, first=first, batches=STEPS, inside=inside), whole[first * STEPS :][:STEPS])
    assert not np.array_equal(whole[0][1], whole[STEPS][1])


def test_kept_in_memory_it_draws_the_same(path, part):
    with bank.open_bank(path, 0, memory=2**30) as opened:
        assert_same(drawn(opened.train), drawn(part))


def test_epoch_shows_what_the_bank_holds_as_drawn_and_normalised(part):
    order = feed._order(len(part), STEPS * BATCH, SEED, 1)
    views = augmentation.draw(PAPER, STEPS * BATCH, SEED, 1)
    batches = list(Feed(part, BATCH, "scale").epoch(1, STEPS, PAPER, SEED))
    stored = part.read(order)
    shown = augmentation.apply(stored.patches, views)
    expected = normalization.scale(shown, stored.minimum, stored.maximum)
    np.testing.assert_allclose(np.concatenate([x for x, _ in batches])[..., 0], expected, atol=1e-3)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), part.labels[order])


def test_micro_batches_are_the_batches_cut(part):
    whole = drawn(part, batches=STEPS)
    cut = list(Feed(part, BATCH // 2, "gcn").epoch(0, 2 * STEPS, PAPER, SEED))
    for place in (0, 1):
        np.testing.assert_allclose(
            np.concatenate([batch[place] for batch in cut]),
            np.concatenate([batch[place] for batch in whole]),
            atol=1e-4,
        )


def test_both_of_the_papers_normalisations_come_from_one_bank(part):
    gcn, scale = (drawn(part, batches=1, normalization=kind)[0] for kind in ("gcn", "scale"))
    np.testing.assert_array_equal(gcn[1], scale[1])
    np.testing.assert_allclose(gcn[0].mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(gcn[0].std(axis=(1, 2)), 1, atol=1e-5)
    assert 0 <= scale[0].min() < 20
    assert 235 < scale[0].max() <= 255
    again = normalization.gcn(scale[0][..., 0])
    np.testing.assert_allclose(again, gcn[0][..., 0], atol=1e-3)


@pytest.mark.parametrize("kind", normalization.KINDS)
def test_network_that_augments_sees_what_the_feed_would_have_shown(part, kind):
    keras.utils.set_random_seed(0)
    model = backbones.build("compact", WINDOW, "float32")
    outside = Feed(part, BATCH, kind, inside=False)
    inside = Feed(part, BATCH, kind, inside=True)
    assert outside.into(model) is model
    joined = inside.into(model)
    assert len(joined.trainable_variables) == len(model.trainable_variables)
    for ours, theirs in (
        (inside.training(2, PAPER, SEED).take(2), outside.training(2, PAPER, SEED).take(2)),
        (inside.validation(), outside.validation()),
    ):
        for (stored, labels), (x, same) in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(labels, same)
            (layer,) = (layer for layer in joined.layers if layer.name == "show")
            np.testing.assert_allclose(layer(stored), x, atol=2e-3 if kind == "scale" else 1e-4)
            np.testing.assert_allclose(joined(stored), model(x), atol=1e-5)


def test_network_that_augments_trains_the_network_in_it(part):
    model = backbones.build("compact", WINDOW, "float32")
    one = Feed(part, BATCH, "gcn", inside=True)
    joined = one.into(model)
    joined.compile("adam", keras.losses.SparseCategoricalCrossentropy())
    before = [weight.numpy() for weight in model.trainable_variables]
    joined.fit(
        one.training(2, PAPER, SEED),
        steps_per_epoch=2,
        validation_data=one.validation(),
        shuffle=False,
        verbose=0,
    )
    assert any((old != new.numpy()).any() for old, new in zip(before, model.trainable_variables, strict=True))


def test_validation_shows_all_as_they_are(part):
    batches = list(Feed(part, BATCH, "gcn").once())
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), part.labels)
    everything = part.read(np.arange(len(part))).patches
    np.testing.assert_allclose(
        np.concatenate([x for x, _ in batches])[..., 0], normalization.gcn(everything), atol=1e-5
    )


def test_damage_met_on_the_way_is_named(path, tmp_path):
    copy = tmp_path / "damaged.h5"
    with bank.open_bank(path, 0) as opened:
        offset = opened.train.windows["patches"].id.get_chunk_info(3).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 20] ^= 4
    copy.write_bytes(content)
    with (
        bank.open_bank(copy, 0) as opened,
        pytest.raises(tf.errors.OpError, match=r"damaged\.h5: expected intact data, got damaged data"),
    ):
        list(Feed(opened.train, BATCH, "gcn").once())


def test_views_agree_with_scipy():
    stored = np.random.default_rng(0).integers(0, 4096, (6, 40, 40)).astype(np.uint16)
    views = augmentation.draw(PAPER, 6, seed=3, epoch=0)
    y, x = np.mgrid[:40, :40]
    shown = augmentation.apply(stored, views)
    for patch, rows, ours in zip(stored, augmentation.transforms(views, 40), shown, strict=True):
        place = [row[0] * x + row[1] * y + row[2] for row in rows.astype(np.float64)]
        theirs = ndimage.map_coordinates(patch.astype(float), place[::-1], order=1, mode="reflect")
        np.testing.assert_allclose(ours, theirs, atol=0.1)


def test_every_mass_is_shown_equally_often_if_asked():
    lesions = np.random.default_rng(0).permutation(np.repeat([-1, 0, 1, 2], [30, 20, 9, 1]))
    masses, patches = np.array([0, 1, 2]), np.array([20, 9, 1])
    count = len(lesions)
    for balance, expected in ((0, patches), (0.5, patches**0.5), (1, np.ones(len(patches)))):
        shares = feed.weights(lesions, balance)
        shown = np.concatenate([feed._order(count, count, 0, epoch, shares) for epoch in range(200)])
        times = np.bincount(lesions[shown][lesions[shown] >= 0])
        np.testing.assert_allclose(times / times.sum(), expected / expected.sum(), rtol=0.1)
        # Every patch of a mass as often as the others, the classes as balanced as before.
        assert abs((lesions[shown] >= 0).mean() - (lesions >= 0).mean()) < 0.005
        each = np.bincount(shown, minlength=count)
        assert each.min() > 0
        for mass in masses:
            assert np.ptp(each[lesions == mass]) < 0.5 * each[lesions == mass].mean()


def test_a_feed_with_balance_depends_on_nothing_but_seed_and_epoch(part):
    assert sorted(set(part.lesions)) == [-1, 0, 1]
    even = Feed(part, BATCH, "gcn", lesion_balance=0.5)
    first, again = ([x for x, _ in even.epoch(2, 2, PAPER, seed=1)] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    plain = [x for x, _ in Feed(part, BATCH, "gcn").epoch(2, 2, PAPER, seed=1)]
    assert not np.array_equal(first, plain)
