import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from mammoflow import backbones, bank, feed, patches, runtime, storage, training
from mammoflow.augmentation import Augmentation
from mammoflow.contracts.history import HISTORY

WINDOW = 32
NO_VIEWS = Augmentation(flip=False, rotation_degrees=0, scale=(1, 1))
PAPER = Augmentation(flip=True, rotation_degrees=30, scale=(0.75, 1.25))
SETTINGS = {
    "batch": 16,
    "epochs": 3,
    "patience": 10,
    "learning_rate": {"random": 1e-3, "pretrained": 1e-6},
    "layers": "all",
    "steps_per_epoch": None,
    "precision": "float32",
    "batch_normalization_momentum": None,
    "augmentation": {"flip": True, "rotation_degrees": 30, "scale": [0.75, 1.25]},
}


def image(number: int) -> SimpleNamespace:
    """Noise, with a bright disc where the mass is."""
    generator = np.random.default_rng(number)
    y, x = np.mgrid[:96, :80]
    mass = (np.hypot(y - 48, x - 40) < 12) & (number % 2 == 1)
    pixels = generator.normal(1000, 60, mass.shape) + 400 * mass
    return SimpleNamespace(
        pixels=pixels.astype(np.uint16),
        breast=np.ones(mass.shape, bool),
        lesions=mass.astype(np.uint8),
        masses=number % 2,
    )


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    path = tmp_path_factory.mktemp("bank") / "fold-0.h5"
    store = {f"{n:02}": image(n) for n in range(18)}
    parts = {part: sorted(store)[6 * n : 6 * n + 6] for n, part in enumerate(bank.PARTS)}
    windows = patches.Windows(WINDOW, 8, "centred")
    bank.write(path, parts, store, windows, "normal-images", (0, "bank"))
    with bank.open_bank(path) as opened:
        yield opened


def fitted(opened, seed=1, **changes):
    settings = training.Settings.from_config(SETTINGS | changes)
    model, origin = training.start("compact", WINDOW, "float32", [], [], seed)
    assert origin == {}
    return training.fit(model, opened, settings, 1e-3, "gcn", seed, "phantoms fold 0")


@pytest.fixture(scope="module")
def run(opened):
    return fitted(opened)


def save(run, folder, **changes):
    network = {"backbone": "compact", "window": WINDOW, "normalization": "gcn", "precision": "float32"}
    run = training.Fitted(**{**vars(run), **changes})
    training.save(run, folder / "model.weights.h5", folder / "model.json", network, init="random")
    return str(folder / "model.weights.h5"), str(folder / "model.json")


def test_it_learns_and_tells_each_epoch(run, tmp_path):
    history = HISTORY.check(run.history)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert history["az"].iloc[-1] > 0.9
    assert run.validation_loss == history["validation_loss"].min()
    assert history["validation_loss"].iloc[run.best_epoch - 1] == run.validation_loss
    assert run.patches_per_second > 0


def test_one_seed_gives_one_network_and_another_another(opened, run):
    again, other = fitted(opened), fitted(opened, seed=2)
    for first, second in zip(run.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    assert any(
        not np.array_equal(first, second)
        for first, second in zip(run.model.get_weights(), other.model.get_weights(), strict=True)
    )


def test_weights_are_those_of_the_best_epoch(opened, run):
    validation = feed.Feed(opened.validation, 16, "gcn")
    losses = [
        float(keras.losses.sparse_categorical_crossentropy(labels, run.model(x, training=False))[n])
        for x, labels in validation.once()
        for n in range(len(labels))
    ]
    assert np.mean(losses) == pytest.approx(run.validation_loss, rel=1e-4)


def test_training_stops_when_validation_no_longer_gains(opened):
    settings = training.Settings.from_config(SETTINGS | {"epochs": 9, "patience": 1})
    model, _ = training.start("compact", WINDOW, "float32", [], [], 1)
    stopped = training.fit(model, opened, settings, 0.0, "gcn", 1, "phantoms")
    assert len(stopped.history) < 9


def test_shallow_tuning_leaves_the_backbone(opened):
    model, _ = training.start("compact", WINDOW, "float32", [], [], 1)
    body = [weight.numpy() for weight in backbones.body(model).weights]
    head = model.get_layer("probabilities").get_weights()[0]
    settings = training.Settings.from_config(SETTINGS | {"layers": "head", "epochs": 1})
    training.fit(model, opened, settings, 1e-3, "gcn", 1, "phantoms")
    for before, after in zip(body, backbones.body(model).weights, strict=True):
        np.testing.assert_array_equal(before, after.numpy())
    assert not np.array_equal(head, model.get_layer("probabilities").get_weights()[0])


def test_saved_and_loaded_it_computes_the_same(run, opened, tmp_path):
    weights, metadata = save(run, tmp_path)
    model, record = training.load(weights, metadata)
    x, _ = next(feed.Feed(opened.test, 16, "gcn").once())
    np.testing.assert_array_equal(model(x, training=False), run.model(x, training=False))
    assert record["parameters"] == run.model.count_params()
    assert record["best_epoch"] == run.best_epoch


def test_weights_of_another_digest_are_not_loaded(run, tmp_path):
    weights, metadata = save(run, tmp_path)
    with open(weights, "r+b") as file:
        file.seek(-100, 2)
        file.write(b"x")
    with pytest.raises(
        ValueError, match=r"model\.weights\.h5: expected the weights recorded in .*, got sha256"
    ):
        training.load(weights, metadata)


def test_weights_of_a_network_that_has_changed_since_are_refused(run, tmp_path, monkeypatch):
    weights, metadata = save(run, tmp_path)
    compact = backbones.BACKBONES["compact"]
    changed = backbones.Backbone(compact.body, backbones._vgg_head)
    monkeypatch.setitem(backbones.BACKBONES, "compact", changed)
    with pytest.raises(ValueError, match="expected weights of compact as the code builds it now"):
        training.load(weights, metadata)


def test_chain_starts_from_the_best_run_head_included(run, tmp_path):
    (tmp_path / "worse").mkdir()
    (tmp_path / "better").mkdir()
    worse = save(run, tmp_path / "worse", validation_loss=2.0)
    better = save(run, tmp_path / "better", validation_loss=0.5)
    runs = list(zip(worse, better, strict=True))
    assert training.best_run(runs[1]) == 1
    model, origin = training.start("compact", WINDOW, "float32", runs[0], runs[1], 7)
    for ours, expected in zip(model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert origin == {"path": better[0], "sha256": storage.sha256(better[0])}
    with pytest.raises(
        ValueError, match="expected weights of compact for windows of 48 pixels, got compact for 32"
    ):
        training.start("compact", 48, "float32", runs[0], runs[1], 7)


def test_base_weights_fill_the_backbone_alone(run, tmp_path):
    backbones.save_notop(run.model, tmp_path / "compact.h5")
    record = tmp_path / "compact.json"
    record.write_text(json.dumps({"sha256": storage.sha256(tmp_path / "compact.h5")}))
    base = [str(tmp_path / "compact.h5")], [str(record)]
    model, origin = training.start("compact", WINDOW, "float32", *base, 7)
    for ours, expected in zip(backbones.body(model).weights, backbones.body(run.model).weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), expected.numpy())
    fresh, _ = training.start("compact", WINDOW, "float32", [], [], 7)
    np.testing.assert_array_equal(
        model.get_layer("probabilities").get_weights()[0], fresh.get_layer("probabilities").get_weights()[0]
    )
    assert origin["sha256"] == storage.sha256(tmp_path / "compact.h5")
    record.write_text(json.dumps({"sha256": "0" * 64}))
    with pytest.raises(ValueError, match=r"compact\.h5: expected sha256 000.* as in .*compact\.json"):
        training.start("compact", WINDOW, "float32", *base, 7)


def test_epoch_shows_every_patch_once_and_fills_the_last_batch(opened):
    part = opened.train
    one = feed.Feed(part, 16, "gcn")
    order = feed._order(len(part), one.steps * 16, seed=3, epoch=0)
    assert sorted(order[: len(part)]) == list(range(len(part)))
    assert len(order) == one.steps * 16 >= len(part)
    assert not np.array_equal(order, feed._order(len(part), one.steps * 16, seed=3, epoch=1))


def test_epoch_does_not_depend_on_the_one_before(opened):
    one = feed.Feed(opened.train, 16, "gcn")
    stream = iter(one.training(2, PAPER, 5).as_numpy_iterator())
    batches = [next(stream) for _ in range(4)]
    for (x, labels), (again, labels_again) in zip(batches[2:], one.epoch(1, 2, PAPER, 5), strict=True):
        np.testing.assert_array_equal(x, again)
        np.testing.assert_array_equal(labels, labels_again)


def test_fed_patches_are_normalised_after_augmentation(opened):
    x, _ = next(feed.Feed(opened.train, 16, "gcn").epoch(0, 1, PAPER, 5))
    np.testing.assert_allclose(x.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=(1, 2, 3)), 1, atol=1e-4)


def test_precision_is_named_or_found():
    assert runtime.policy("auto") in runtime.PRECISIONS
    assert runtime.policy("mixed_float16") == "mixed_float16"
    with pytest.raises(ValueError, match=r"training\.precision: expected auto, .*, got 'int8'"):
        runtime.policy("int8")


def test_unknown_layers_are_refused(opened):
    with pytest.raises(ValueError, match=r"training\.layers: expected all or head, got 'some'"):
        fitted(opened, layers="some")


def test_record_is_plain_json(run, tmp_path):
    _, metadata = save(run, tmp_path)
    with open(metadata) as file:
        assert json.load(file)["init"] == "random"
