import signal

import numpy as np
import pandas as pd
import pytest
import trainings

from mammoflow.training import resume

FACTS = {"epoch": 3, "stopped": False, "rows": [{"loss": 0.1 + 0.2, "best": float("nan")}]}
ARRAYS = {
    "variables": [
        np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32),
        np.array(7, np.int64),
        np.array([1, 2**32 - 1], np.uint32),
        np.empty((0, 3), np.float32),
    ],
    "best": [np.arange(11, dtype=np.float16)],
}


@pytest.fixture
def checkpoint(tmp_path):
    return resume.Checkpoint(tmp_path / "fold-0" / "run-0.state", resume.identity(seed=1))


def assert_is_what_was_written(found):
    facts, arrays = found
    assert repr(facts) == repr(FACTS)
    assert list(arrays) == list(ARRAYS)
    for name, members in ARRAYS.items():
        for ours, expected in zip(arrays[name], members, strict=True):
            assert (ours.dtype, ours.shape) == (expected.dtype, expected.shape)
            np.testing.assert_array_equal(ours, expected)


def test_a_state_comes_back_bit_by_bit_until_it_is_removed(checkpoint):
    assert checkpoint.read() is None
    checkpoint.write(FACTS, ARRAYS)
    assert_is_what_was_written(checkpoint.read())
    checkpoint.write(FACTS | {"epoch": 4}, ARRAYS)
    assert checkpoint.read()[0]["epoch"] == 4
    checkpoint.remove()
    checkpoint.remove()
    assert checkpoint.read() is None
    assert list(checkpoint.path.parent.iterdir()) == []


def test_a_state_of_another_training_is_left_aside_with_a_word(checkpoint, capsys):
    checkpoint.write(FACTS, ARRAYS)
    other = resume.Checkpoint(checkpoint.path, resume.identity(seed=2))
    assert other.read() is None
    assert (
        "run-0.state: the state of an interrupted training is ignored because it belongs to other inputs"
        in capsys.readouterr().out
    )


def test_identity_depends_on_every_fact_and_not_on_their_order():
    assert resume.identity(a=1, b={"c": 2, "d": 3}) == resume.identity(b={"d": 3, "c": 2}, a=1)
    different = [{}, {"a": 1}, {"a": 2}, {"a": "1"}, {"b": 1}, {"a": 1, "b": 1}]
    assert len({resume.identity(**facts) for facts in different}) == len(different)


def test_a_damaged_state_is_never_trusted(checkpoint, capsys):
    checkpoint.write(FACTS, ARRAYS)
    whole = checkpoint.path.read_bytes()
    places = range(0, len(whole), 41)
    for place in places:
        checkpoint.path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        assert checkpoint.read() is None
    assert capsys.readouterr().out.count("ignored because it is damaged") == len(places)
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        checkpoint.path.write_bytes(whole[:length])
        assert checkpoint.read() is None


def test_what_was_written_half_is_cleared_away_and_the_state_before_stays(checkpoint):
    checkpoint.write(FACTS, ARRAYS)
    half = checkpoint.path.with_name(f".123.partial.{checkpoint.path.name}")
    others = checkpoint.path.with_name(".123.partial.run-1.state")
    for path in (half, others):
        path.write_bytes(b"half")
    assert_is_what_was_written(checkpoint.read())
    assert not half.exists()
    assert others.exists()


# ---- killing

STOPS = [
    ("writing", 2, signal.SIGKILL),
    ("batch", 3, signal.SIGINT),
    ("kept", 4, signal.SIGTERM),
]


def test_a_training_killed_again_and_again_ends_as_one_left_alone(tmp_path):
    trainings.write_bank(tmp_path / "bank.h5")
    context = trainings.server()

    def begin(name, stop=None):
        changes = {"epochs": 6, "patience": 4, "schedule": "cosine"}  # the rate depends on the step
        process = context.Process(target=trainings.train, args=(tmp_path, name, stop), kwargs=changes)
        process.start()
        return process

    alone = begin("alone")
    ends = [trainings.ended(begin("killed", stop)) for stop in STOPS]
    whenever = trainings.ended(begin("killed"), np.random.default_rng().uniform(0.2, 3))
    last = trainings.ended(begin("killed"))
    said = (tmp_path / "killed" / "log").read_text()
    assert [trainings.ended(alone), last] == [0, 0], said
    assert ends == [-signal.SIGKILL, 1, -signal.SIGTERM], said
    assert whenever in (-signal.SIGKILL, 0)
    assert "KeyboardInterrupt" in said
    assert [said.count(f"resumes after epoch {number}") for number in range(4)] == [0, 1, 1, 0]
    # Only what was under way was done again.
    assert [said.count(f"epoch {number}/6") for number in (1, 2, 3, 4)] == [1, 2, 1, 1], said
    assert_equal_trainings(tmp_path / "killed", tmp_path / "alone")


def assert_equal_trainings(first, second):
    ours, expected = (np.load(folder / "weights.npz") for folder in (first, second))
    assert len(ours.files) == len(expected.files) > 5
    for name in expected.files:
        np.testing.assert_array_equal(ours[name], expected[name])
    histories = [pd.read_csv(folder / "history.csv", index_col=0) for folder in (first, second)]
    timeless = [history.drop(columns="seconds") for history in histories]
    pd.testing.assert_frame_equal(*timeless, check_exact=True)
    for history in histories:
        assert (history["seconds"] > 0).all()
        assert list(history["epoch"]) == list(range(1, 7))
