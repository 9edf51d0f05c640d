import dataclasses
import json
import re
import signal
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import trainings
from trainings import SETTINGS, WINDOW

from mammoflow.base import storage
from mammoflow.base.contracts.history import HISTORY
from mammoflow.networks import architectures, backbones, runtime, trained
from mammoflow.networks import weights as base_weights
from mammoflow.patches import bank
from mammoflow.training import callbacks, feed, fitting, resume
from mammoflow.training.augmentation import Augmentation

PAPER = Augmentation(flip=True, rotation_degrees=30, scale=(0.75, 1.25))


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    path = tmp_path_factory.mktemp("bank") / "fold-0.h5"
    trainings.write_bank(path)
    with bank.open_bank(path, 0) as opened:
        yield opened


def fitted(opened, seed=1, network="compact", checkpoint=None, events=None, **changes):
    settings = fitting.Settings.from_config(SETTINGS | changes)
    model, origin = fitting.start(network, WINDOW, settings.precision, [], [], seed)
    assert origin == {}
    return fitting.fit(model, opened, settings, 1e-3, "gcn", seed, "phantoms fold 0", checkpoint, events)


def assert_equal_weights(first, second):
    for ours, expected in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Add a network of one module, and take it away again."""
    monkeypatch.setattr(architectures, "__path__", [*architectures.__path__])

    def add(text=trainings.OWN):
        trainings.add_network(tmp_path, text)
        return "own"

    yield add
    architectures.network.cache_clear()
    sys.modules.pop("mammoflow.networks.architectures.own", None)


@pytest.fixture(scope="module")
def run(opened):
    return fitted(opened)


def save(run, folder, **changes):
    network = {"backbone": "compact", "window": WINDOW, "normalization": "gcn", "precision": "float32"}
    run = trained.Fitted(**{**vars(run), **changes})
    trained.save(run, folder / "model.weights.h5", folder / "model.json", network, init="random")
    return str(folder / "model.weights.h5"), str(folder / "model.json")


def test_it_learns_and_tells_each_epoch(run, tmp_path):
    history = HISTORY.check(run.history)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert history["az"].iloc[-1] > 0.9
    assert run.validation_loss == history["validation_loss"].min()
    assert history["validation_loss"].iloc[run.best_epoch - 1] == run.validation_loss
    assert run.patches_per_second > 0


def test_batches_may_be_augmented_in_front_of_the_network_as_on_a_gpu(opened, run, monkeypatch, tmp_path):
    monkeypatch.setattr(fitting, "Feed", partial(feed.Feed, inside=True))
    inside = fitted(opened)
    np.testing.assert_allclose(inside.history["loss"], run.history["loss"], rtol=0.05)
    weights, metadata = save(inside, tmp_path)
    model, _ = trained.load(weights, metadata)
    assert_equal_weights(inside, SimpleNamespace(model=model))


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
    settings = fitting.Settings.from_config(SETTINGS | {"epochs": 9, "patience": 1})
    model, _ = fitting.start("compact", WINDOW, "float32", [], [], 1)
    stopped = fitting.fit(model, opened, settings, 0.0, "gcn", 1, "phantoms")
    assert len(stopped.history) < 9


@pytest.mark.parametrize(("schedule", "shares"), [("constant", [1, 1, 1]), ("cosine", [0.75, 0.25, 0])])
def test_the_learning_rate_stays_or_falls_by_half_a_cosine(opened, schedule, shares):
    settings = fitting.Settings.from_config(SETTINGS | {"epochs": 3, "schedule": schedule, "parts": 2})
    model, _ = fitting.start("compact", WINDOW, "float32", [], [], 1)
    rates = fitting.fit(model, opened, settings, 1e-3, "gcn", 1, "phantoms").history["learning_rate"]
    assert rates.tolist() == pytest.approx([1e-3 * share for share in shares], abs=1e-9)


def test_shallow_tuning_leaves_the_backbone(opened):
    model, _ = fitting.start("compact", WINDOW, "float32", [], [], 1)
    body = [weight.numpy() for weight in backbones.body(model).weights]
    head = model.get_layer("probabilities").get_weights()[0]
    settings = fitting.Settings.from_config(SETTINGS | {"layers": "head", "epochs": 1})
    fitting.fit(model, opened, settings, 1e-3, "gcn", 1, "phantoms")
    for before, after in zip(body, backbones.body(model).weights, strict=True):
        np.testing.assert_array_equal(before, after.numpy())
    assert not np.array_equal(head, model.get_layer("probabilities").get_weights()[0])


def test_saved_and_loaded_it_computes_the_same(run, opened, tmp_path):
    weights, metadata = save(run, tmp_path)
    model, record = trained.load(weights, metadata)
    x, _ = next(feed.Feed(opened.test, 16, "gcn").once())
    np.testing.assert_array_equal(model(x, training=False), run.model(x, training=False))
    assert record["parameters"] == run.model.count_params()
    assert record["best_epoch"] == run.best_epoch


def flip(path):
    """Change a bit in the middle of a file."""
    with open(path, "r+b") as file:
        file.seek(Path(path).stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


def test_a_flipped_bit_is_noticed_wherever_weights_are_loaded(run, tmp_path):
    weights, metadata = save(run, tmp_path)
    flip(weights)
    # Patches and maps are computed with these, and a chain starts from them.
    for load in (trained.load, lambda *run: fitting.start("compact", WINDOW, "float32", *zip(run), 7)):
        with pytest.raises(
            ValueError, match=r"model\.weights\.h5: expected the weights recorded in .*, got sha"
        ):
            load(weights, metadata)
    base, record = tmp_path / "compact.h5", tmp_path / "compact.json"
    backbones.save_notop(run.model, base)
    entry = {"path": str(base), "sha256": storage.sha256(base)}
    record.write_text(json.dumps(entry))
    flip(base)
    with pytest.raises(ValueError, match=r"compact\.h5: expected sha256 .* as in .*compact\.json, got"):
        fitting.start("compact", WINDOW, "float32", [str(base)], [str(record)], 7)
    given = {"source": "files", "files": {"compact": entry}}
    with pytest.raises(ValueError, match=r"weights\.mine\.files\.compact: .*compact\.h5: expected sha256"):
        base_weights.obtain("mine", "compact", WINDOW, given, tmp_path / "adopted.h5")


def test_weights_of_a_network_that_has_changed_since_are_refused(run, tmp_path, monkeypatch):
    weights, metadata = save(run, tmp_path)
    changed = dataclasses.replace(architectures.network("compact"), head=architectures.average)
    monkeypatch.setattr(architectures, "network", lambda name: changed)
    with pytest.raises(ValueError, match="expected weights that fit the current code of compact"):
        trained.load(weights, metadata)


def test_chain_starts_from_the_best_run_head_included(run, tmp_path):
    (tmp_path / "worse").mkdir()
    (tmp_path / "better").mkdir()
    worse = save(run, tmp_path / "worse", validation_loss=2.0)
    better = save(run, tmp_path / "better", validation_loss=0.5)
    runs = list(zip(worse, better, strict=True))
    assert trained.best_run(runs[1]) == 1
    model, origin = fitting.start("compact", WINDOW, "float32", runs[0], runs[1], 7)
    for ours, expected in zip(model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert origin == {"path": better[0], "sha256": storage.sha256(better[0])}
    with pytest.raises(
        ValueError, match="expected weights of compact for windows of 48 pixels, got compact for 32"
    ):
        fitting.start("compact", 48, "float32", runs[0], runs[1], 7)


def test_base_weights_fill_the_backbone_alone(run, tmp_path):
    backbones.save_notop(run.model, tmp_path / "compact.h5")
    record = tmp_path / "compact.json"
    record.write_text(json.dumps({"sha256": storage.sha256(tmp_path / "compact.h5")}))
    base = [str(tmp_path / "compact.h5")], [str(record)]
    model, origin = fitting.start("compact", WINDOW, "float32", *base, 7)
    for ours, expected in zip(backbones.body(model).weights, backbones.body(run.model).weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), expected.numpy())
    fresh, _ = fitting.start("compact", WINDOW, "float32", [], [], 7)
    np.testing.assert_array_equal(
        model.get_layer("probabilities").get_weights()[0], fresh.get_layer("probabilities").get_weights()[0]
    )
    assert origin["sha256"] == storage.sha256(tmp_path / "compact.h5")
    record.write_text(json.dumps({"sha256": "0" * 64}))
    with pytest.raises(ValueError, match=r"compact\.h5: expected sha256 000.* as in .*compact\.json"):
        fitting.start("compact", WINDOW, "float32", *base, 7)


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


@pytest.mark.parametrize(
    ("capability", "policy"),
    [((8, 0), "mixed_bfloat16"), ((9, 0), "mixed_bfloat16"), ((7, 5), "mixed_float16"), ((6, 1), "float32")],
)
def test_precision_of_gpus_is_what_the_least_of_them_computes(monkeypatch, capability, policy):
    capabilities = {"a": (9, 0), "b": capability}
    monkeypatch.setattr(runtime, "_gpus", lambda: list(capabilities))
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": capabilities[gpu]}
    )
    assert runtime.policy("auto") == policy


@pytest.mark.parametrize(
    ("flags", "policy"),
    [("avx512f avx512_bf16", "mixed_bfloat16"), ("amx_bf16", "mixed_bfloat16"), ("avx512f avx2", "float32")],
)
def test_precision_of_a_processor_is_what_it_has_units_for(monkeypatch, tmp_path, flags, policy):
    (tmp_path / "cpuinfo").write_text(f"model name : any\nflags : fpu {flags}\n")
    monkeypatch.setattr(runtime, "Path", lambda _: tmp_path / "cpuinfo")
    assert runtime.policy("auto") == policy


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


# ---- parts, devices, memory


def test_a_batch_in_parts_takes_the_same_step_without_batch_normalisation(opened, own):
    network = own(trainings.PLAIN)
    whole, parts = (fitted(opened, network=network, epochs=2, parts=parts) for parts in (1, 4))
    for first, second in zip(whole.model.get_weights(), parts.model.get_weights(), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)
    assert parts.model.optimizer.iterations == whole.model.optimizer.iterations
    pd.testing.assert_frame_equal(*(run.history.drop(columns="seconds") for run in (whole, parts)), rtol=1e-4)


def test_a_batch_is_cut_into_equal_parts_or_refused(opened):
    with pytest.raises(ValueError, match=r"training\.batch: .* multiple of parts times gpus \(3 × 1\)"):
        fitted(opened, parts=3)


def test_two_devices_that_share_a_batch_train_as_one_and_go_on_when_killed(opened, own, tmp_path):
    trainings.write_bank(tmp_path / "bank.h5")
    context = trainings.server()
    for stop, end in ((("kept", 1, signal.SIGKILL), -signal.SIGKILL), (None, 0)):
        arguments = {"network": trainings.PLAIN, "devices": 2, "epochs": 2}
        process = context.Process(target=trainings.train, args=(tmp_path, "two", stop), kwargs=arguments)
        process.start()
        assert trainings.ended(process) == end, (tmp_path / "two" / "log").read_text()
    settings = fitting.Settings.from_config(SETTINGS | {"epochs": 2})
    model, _ = fitting.start(own(trainings.PLAIN), WINDOW, "float32", [], [], 5)
    one = fitting.fit(model, opened, settings, 3e-3, "gcn", 5, "one")
    two = np.load(tmp_path / "two" / "weights.npz")
    for number, expected in enumerate(one.model.get_weights()):
        np.testing.assert_allclose(two[str(number)], expected, rtol=1e-3, atol=1e-5)


def test_a_batch_beyond_the_memory_names_batch_and_keys(opened, monkeypatch):
    def exhausted(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(keras.Model, "train_step", exhausted)
    with pytest.raises(
        MemoryError, match=r"training\.batch: expected .* got 16 .* raise training\.parts"
    ) as caught:
        fitted(opened)
    assert "\n" not in str(caught.value)


def test_gpus_are_claimed_one_job_each(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert runtime.claim(0, 1, tmp_path) == []
    assert runtime.claim(3, 1, tmp_path) == [0]
    assert runtime.claim(3, 2, tmp_path) == [1, 2]
    with pytest.raises(ValueError, match=r"training\.gpus: expected at most 3, .*, got 4"):
        runtime.claim(3, 4, tmp_path)
    with pytest.raises(ValueError, match=r"training\.gpus: expected at most 0"):
        runtime.claim(0, 2, tmp_path)
    assert runtime.claim(4, 1, tmp_path) == [3]

    def freed(seconds):
        runtime.os.close(held)

    held = runtime._lock(tmp_path / f"mammoflow-gpus-{runtime.os.getuid()}" / "4")
    monkeypatch.setattr(runtime.time, "sleep", freed)
    assert runtime.claim(5, 1, tmp_path) == [4]
    assert "1 of 5 GPUs wanted, 0 free" in capsys.readouterr().out
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert runtime.claim(2, 1, tmp_path) == [0]


# ---- a training that was interrupted, or is looked at


@pytest.mark.parametrize("settings", [{"epochs": 2}, {"epochs": 9, "patience": 1, "steps_per_epoch": 1}])
def test_a_training_that_was_over_is_not_trained_again(opened, own, tmp_path, settings, capsys):
    network = own()
    checkpoint = resume.Checkpoint(tmp_path / "run.state", "a")
    first = fitted(opened, network=network, checkpoint=checkpoint, **settings)
    said = capsys.readouterr().out
    assert said.count("validation loss") == len(first.history)
    again = fitted(opened, network=network, checkpoint=checkpoint, **settings)
    assert "validation loss" not in capsys.readouterr().out
    assert_equal_weights(first, again)
    pd.testing.assert_frame_equal(first.history, again.history)
    assert (first.best_epoch, first.validation_loss) == (again.best_epoch, again.validation_loss)
    assert first.patches_per_second == again.patches_per_second


def test_what_mixed_precision_needs_is_kept_too(opened, own, tmp_path):
    network, precision = (
        own(),
        "mixed_float16",
    )  # whose losses are scaled, by what was learnt of the gradients
    alone = fitted(opened, network=network, precision=precision)
    checkpoint = resume.Checkpoint(tmp_path / "run.state", "a")
    fitted(opened, network=network, precision=precision, checkpoint=checkpoint, epochs=2)
    resumed = fitted(opened, network=network, precision=precision, checkpoint=checkpoint)
    assert_equal_weights(alone, resumed)


def test_events_hold_the_whole_history_once(opened, own, tmp_path):
    checkpoint = resume.Checkpoint(tmp_path / "run.state", "a")
    for epochs in (1, 3):
        run = fitted(opened, network=own(), checkpoint=checkpoint, events=tmp_path / "events", epochs=epochs)
    (path,) = (tmp_path / "events").iterdir()
    events = [
        (value.tag, event.step, float(tf.make_ndarray(value.tensor)), value.metadata.plugin_data.plugin_name)
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]
    for name in ("loss", "accuracy", "validation_az", "learning_rate", "seconds"):
        ours = [(step, value) for tag, step, value, plugin in events if tag == name and plugin == "scalars"]
        assert ours == [(row["epoch"], pytest.approx(row[name])) for _, row in run.history.iterrows()]


def test_progress_tells_the_time_left(opened, own, capsys, monkeypatch):
    monkeypatch.setattr(callbacks, "_LONG_PAUSE", 0)
    fitted(opened, network=own(), epochs=2, steps_per_epoch=3)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("phantoms fold 0: ")]
    steps = [f"step {step}/3, 0:00:0" for step in (1, 2, 3)]
    epoch = "validation loss 0."
    for line, number, what in zip(said, [1] * 4 + [2] * 4, [*steps, epoch] * 2, strict=True):
        assert line.startswith(f"phantoms fold 0: epoch {number}/2, {what}")
        assert re.search(r"\d:\d\d:\d\d left( in the epoch)?$", line)
    assert said[-1].endswith("at most 0:00:00 left")


def test_a_loss_that_is_no_number_is_refused(opened, own):
    settings = fitting.Settings.from_config(SETTINGS)
    model, _ = fitting.start(own(), WINDOW, "float32", [], [], 1)
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    with pytest.raises(ValueError, match="expected a validation loss, got nan in the first epoch"):
        fitting.fit(model, opened, settings, 1e-3, "gcn", 1, "phantoms")
