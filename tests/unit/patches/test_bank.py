from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoflow.patches import bank, cutting, sampling, sliding_windows

WINDOWS = sliding_windows.Windows(window=8, stride=4, edge="centred")
SEED = (2019, "bank", "phantoms")


def image(number: int, mass: bool, shape: tuple[int, int] = (40, 30)) -> SimpleNamespace:
    generator = np.random.default_rng(number)
    breast = np.zeros(shape, bool)
    breast[3:-3, :-5] = True
    lesions = np.zeros(shape, np.uint8)
    if mass:
        y, x = generator.integers(6, shape[0] - 18), generator.integers(0, shape[1] - 18)
        lesions[y : y + 10, x : x + 12] = 1
    pixels = generator.integers(0, 4096, shape).astype(np.uint16)
    return SimpleNamespace(pixels=pixels, breast=breast, lesions=lesions, masses=int(mass))


def narrow(number: int, columns: int) -> SimpleNamespace:
    """The first columns of a mammogram, a mass among them; the last five are air."""
    cut = {
        name: array[:, :columns].copy()
        for name, array in vars(image(number, False)).items()
        if name != "masses"
    }
    cut["breast"][:, columns - 5 :] = False
    cut["lesions"][10:20] = 1
    return SimpleNamespace(**cut, masses=1)


STORE = {f"{'mass' if n % 2 else 'normal'}-{n:02}": image(n, n % 2 == 1) for n in range(18)}
IDS = sorted(STORE)
PARTS = {
    "train": [name for n, name in enumerate(IDS) if n % 3 == 0],
    "validation": [name for n, name in enumerate(IDS) if n % 3 == 1],
    "test": [name for n, name in enumerate(IDS) if n % 3 == 2],
}


def write(path, parts, store, *rest):
    """A bank of one fold; returns the counts of its parts."""
    return cutting.write(path, {0: parts}, store, store, *rest)[0]


def opened_bank(path, **options):
    return bank.open_bank(path, 0, **options)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_banks_joined_are_their_patches_one_after_the_other(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("banks")
    paths = [folder / f"{number}.h5" for number in range(3)]
    for number, path in enumerate(paths):
        names = {part: ids[number:] for part, ids in PARTS.items()}
        write(path, names, STORE, WINDOWS, "mass-images", (*SEED, number))
    with (
        bank.open_banks(paths, [0, 0, 0]) as joined,
        bank.open_bank(paths[0], 0) as first,
        bank.open_bank(paths[1], 0) as second,
        bank.open_bank(paths[2], 0) as third,
    ):
        for part in bank.PARTS:
            alone = [getattr(each, part) for each in (first, second, third)]
            all_patches = np.concatenate([each.read(np.arange(len(each))).patches for each in alone])
            ours = getattr(joined, part)
            rows = np.random.default_rng(seed).integers(0, len(ours), 50)
            np.testing.assert_array_equal(ours.read(rows).patches, all_patches[rows])
            np.testing.assert_array_equal(ours.labels, np.concatenate([each.labels for each in alone]))
            # Masses of different data sets are different masses.
            assert len(set(ours.lesions) - {-1}) == sum(len(set(each.lesions) - {-1}) for each in alone)
            assert ((ours.lesions >= 0) == (ours.labels == 1)).all()
            assert ours.digest not in {each.digest for each in alone}


def test_a_bank_alone_is_itself(tmp_path):
    write(tmp_path / "b.h5", PARTS, STORE, WINDOWS, "mass-images", SEED)
    with bank.open_banks([tmp_path / "b.h5"], [0]) as one, bank.open_bank(tmp_path / "b.h5", 0) as same:
        assert one.train.digest == same.train.digest


def test_patches_of_different_sizes_are_not_joined(tmp_path):
    write(tmp_path / "a.h5", PARTS, STORE, WINDOWS, "mass-images", SEED)
    larger = sliding_windows.Windows(window=12, stride=4, edge="centred")
    write(tmp_path / "b.h5", PARTS, STORE, larger, "mass-images", SEED)
    with (
        pytest.raises(ValueError, match=r"expected patches of one size, got sides of \[8, 12\] pixels"),
        bank.open_banks([tmp_path / "a.h5", tmp_path / "b.h5"], [0, 0]),
    ):
        pass


@pytest.fixture(params=sampling.NEGATIVES)
def written(request, tmp_path):
    path = tmp_path / "fold-0.h5"
    counts = write(path, PARTS, STORE, WINDOWS, request.param, SEED)
    return SimpleNamespace(path=path, counts=counts, policy=request.param)


def test_patches_are_where_the_bank_says(written):
    with opened_bank(written.path) as opened:
        for part in bank.PARTS:
            rows = getattr(opened, part)
            batch = rows.read(np.arange(len(rows)))
            for n, (name, y, x) in enumerate(zip(rows.image_id, rows.y, rows.x, strict=True)):
                assert name in PARTS[part]
                cut = sliding_windows.cut(STORE[name].pixels, np.array([[y, x]]), WINDOWS.window)[0]
                np.testing.assert_array_equal(batch.patches[n], cut)
                assert rows.labels[n] == (STORE[name].lesions[y + 4, x + 4] > 0)
                grey = STORE[name].pixels[STORE[name].breast]
                assert (batch.minimum[n], batch.maximum[n]) == (grey.min(), grey.max())


def test_every_positive_is_there_and_classes_balance(written):
    with opened_bank(written.path) as opened:
        for part in bank.PARTS:
            rows, count = getattr(opened, part), written.counts[part]
            positives = sum(
                sliding_windows.lesions(
                    STORE[i].lesions, sliding_windows.positions(STORE[i].breast, WINDOWS), WINDOWS
                )
                .astype(bool)
                .sum()
                for i in PARTS[part]
            )
            assert rows.labels.sum() == positives == count.positives
            assert len(rows) - positives == count.negatives
            kinds = {"mass-images": "mass", "normal-images": "normal", "all-images": ("mass", "normal")}
            kind = kinds[written.policy]
            assert all(name.startswith(kind) for name in rows.image_id[rows.labels == 0])
            normal = sum(name.startswith("normal") for name in PARTS[part])
            if written.policy != "normal-images":
                assert count.negatives == positives - count.short
            else:
                assert (
                    count.negatives == normal * sampling.negatives_per_image(positives, normal) - count.short
                )


def test_no_negative_of_mass_images_touches_the_border(tmp_path):
    write(tmp_path / "b.h5", PARTS, STORE, WINDOWS, "mass-images", SEED)
    with opened_bank(tmp_path / "b.h5") as opened:
        negative = opened.train.labels == 0
        rows = zip(
            opened.train.image_id[negative], opened.train.y[negative], opened.train.x[negative], strict=True
        )
        for name, y, x in rows:
            assert sliding_windows.within_breast(STORE[name].breast, np.array([[y, x]]), WINDOWS).all()


def test_an_image_whose_mass_lies_outside_the_breast_is_no_normal_image(tmp_path):
    lost = image(2, mass=False)
    lost.masses = 1
    store = STORE | {"normal-02": lost}
    assert "normal-02" in PARTS["train"] + PARTS["validation"] + PARTS["test"]
    write(tmp_path / "b.h5", PARTS, store, WINDOWS, "normal-images", SEED)
    with opened_bank(tmp_path / "b.h5") as opened:
        drawn = {name for part in bank.PARTS for name in getattr(opened, part).image_id}
    assert "normal-04" in drawn
    assert "normal-02" not in drawn


def test_no_window_is_drawn_twice(written):
    with opened_bank(written.path) as opened:
        places = list(zip(opened.train.image_id, opened.train.y, opened.train.x, strict=True))
    assert len(set(places)) == len(places)


def test_banks_of_one_seed_are_equal_and_of_another_are_not(tmp_path):
    digests = []
    for name, seed in [("a", SEED), ("b", SEED), ("c", (1, *SEED[1:]))]:
        write(tmp_path / f"{name}.h5", PARTS, STORE, WINDOWS, "mass-images", seed)
        with opened_bank(tmp_path / f"{name}.h5") as opened:
            digests.append(opened.train.digest)
    assert digests[0] == digests[1] != digests[2]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=0, max_size=20))
def test_reading_keeps_the_order_asked_for(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "order.h5"
    if not path.exists():
        write(path, PARTS, STORE, WINDOWS, "mass-images", SEED)
    with opened_bank(path) as disk, opened_bank(path, memory=2**30) as memory:
        indices = np.array(rows, int)
        expected = memory.train.read(np.arange(len(memory.train))).patches[indices]
        np.testing.assert_array_equal(disk.train.read(indices).patches, expected)
        np.testing.assert_array_equal(memory.train.read(indices).patches, expected)


def test_batches_go_through_all_in_order(written):
    with opened_bank(written.path) as opened:
        whole = opened.test.read(np.arange(len(opened.test))).patches
        parts = [batch.patches for batch in opened.test.batches(5)]
    assert {len(part) for part in parts[:-1]} <= {5}
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_test_part_may_be_empty_and_training_may_not(tmp_path):
    write(tmp_path / "b.h5", PARTS | {"test": []}, STORE, WINDOWS, "mass-images", SEED)
    with opened_bank(tmp_path / "b.h5") as opened:
        assert len(opened.test) == len(opened.test.image_id) == 0
    with pytest.raises(
        ValueError, match="expected positive and negative patches in the train part of fold 0, got 0 and 0"
    ):
        write(tmp_path / "c.h5", PARTS | {"train": []}, STORE, WINDOWS, "mass-images", SEED)
    assert not (tmp_path / "c.h5").exists()


def test_window_that_fits_nowhere_is_named_with_the_images_and_both_sizes(tmp_path):
    store = {name: narrow(n, columns=13) for n, name in enumerate(IDS)}
    wide = sliding_windows.Windows(window=12, stride=4, edge="inside")
    with pytest.raises(
        ValueError,
        match=r"train part of fold 0, got [1-9]\d* and 0 from 6 images; windows of 12×12 pixels do not fit "
        r"into (\S+ \(breast of 34×8 pixels\)(, )?){5} and 1 more$",
    ):
        write(tmp_path / "b.h5", PARTS, store, wide, "mass-images", SEED)
    large = sliding_windows.Windows(window=14, stride=4, edge="inside")
    with pytest.raises(
        ValueError,
        match=r"got 0 and 0 from 6 images; windows of 14×14 pixels do not fit into .*image of 40×13",
    ):
        write(tmp_path / "b.h5", PARTS, store, large, "mass-images", SEED)
    assert list(tmp_path.iterdir()) == []


def test_single_images_that_gave_nothing_are_told(tmp_path):
    store = STORE | {"mass-03": narrow(3, columns=12)}
    inside = sliding_windows.Windows(window=8, stride=4, edge="inside")
    counts = write(tmp_path / "b.h5", PARTS, store, inside, "mass-images", SEED)
    (part,) = (part for part in bank.PARTS if "mass-03" in PARTS[part])
    assert counts[part].unfit == {"mass-03": "breast of 34×7 pixels"}
    assert not any(counts[other].unfit for other in bank.PARTS if other != part)


def test_part_without_images_to_draw_from_is_named(tmp_path):
    parts = PARTS | {"validation": ["mass-01"]}
    with pytest.raises(ValueError, match=r"validation part of fold 0: .*'normal-images', got none among 1"):
        write(tmp_path / "b.h5", parts, STORE, WINDOWS, "normal-images", SEED)


def test_flipped_bit_is_noticed(written):
    with opened_bank(written.path) as opened:
        dataset = opened.train.windows["patches"]
        offset = dataset.id.get_chunk_info(0).byte_offset
    content = bytearray(written.path.read_bytes())
    content[offset + 10] ^= 1
    written.path.write_bytes(content)
    with (
        opened_bank(written.path) as opened,
        pytest.raises(
            ValueError,
            match=r"fold-0\.h5: expected intact data, got damaged data in item 0 of /windows/patches",
        ),
    ):
        opened.train.read(np.array([0]))


def content(path):
    with opened_bank(path) as opened:
        parts = [getattr(opened, part) for part in bank.PARTS]
        read = [part.read(np.arange(len(part))) for part in parts]
        columns = [(part.labels, part.image_id, part.y, part.x) for part in parts]
        return [*(vars(batch).values() for batch in read), *columns]


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_damage_anywhere_is_noticed_or_changes_nothing(tmp_path_factory, place, bit):
    folder = tmp_path_factory.getbasetemp()
    whole = folder / "whole.h5"
    if not whole.exists():
        write(whole, PARTS, STORE, WINDOWS, "mass-images", SEED)
    changed = bytearray(whole.read_bytes())
    changed[int(place * len(changed))] ^= 1 << bit
    (folder / "changed.h5").write_bytes(changed)
    try:
        found = content(folder / "changed.h5")
    except (ValueError, OSError, KeyError, RuntimeError):
        return
    for ours, theirs in zip(found, content(whole), strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


def test_bank_that_fails_half_way_is_absent(tmp_path):
    class Failing(dict):
        def __getitem__(self, name):
            if name == PARTS["test"][-1]:
                raise OSError("no more disk")
            return super().__getitem__(name)

    with pytest.raises(OSError, match="no more disk"):
        write(tmp_path / "b.h5", PARTS, Failing(STORE), WINDOWS, "mass-images", SEED)
    assert list(tmp_path.iterdir()) == []


def test_folds_share_windows_and_each_has_its_own_draw(tmp_path):
    """A bank of two folds gives to each what a bank of this fold alone gives, from images read once."""
    other = {"train": PARTS["test"], "validation": PARTS["train"], "test": PARTS["validation"]}
    folds = {0: PARTS, 3: other}

    read = Counter()

    class Counted(dict):
        def __getitem__(self, name):
            read[name] += 1
            return super().__getitem__(name)

    counts = cutting.write(tmp_path / "b.h5", folds, STORE, Counted(STORE), WINDOWS, "all-images", SEED)
    assert max(read.values()) == 1
    stored, used = 0, set()
    for fold, parts in folds.items():
        alone = tmp_path / f"{fold}.h5"
        assert (
            cutting.write(alone, {fold: parts}, STORE, STORE, WINDOWS, "all-images", SEED)[fold]
            == counts[fold]
        )
        with bank.open_bank(tmp_path / "b.h5", fold) as ours, bank.open_bank(alone, fold) as theirs:
            stored = len(ours.train.windows["labels"])
            for part in bank.PARTS:
                one, two = getattr(ours, part), getattr(theirs, part)
                assert one.digest == two.digest
                np.testing.assert_array_equal(one.y, two.y)
                every = np.arange(len(one))
                np.testing.assert_array_equal(one.read(every).patches, two.read(every).patches)
                used |= set(zip(one.image_id, one.y, one.x, strict=True))
    assert stored == len(used)
    with (
        pytest.raises(ValueError, match=r"b\.h5: expected a bank that holds fold 1, got one without it"),
        bank.open_bank(tmp_path / "b.h5", 1),
    ):
        pass


def test_workers_do_not_change_what_is_written(tmp_path):
    for workers in (1, 4):
        write(tmp_path / f"{workers}.h5", PARTS, STORE, WINDOWS, "mass-images", SEED, workers)
    with opened_bank(tmp_path / "1.h5") as one, opened_bank(tmp_path / "4.h5") as four:
        assert [getattr(one, part).digest for part in bank.PARTS] == [
            getattr(four, part).digest for part in bank.PARTS
        ]


@st.composite
def cohorts(draw):
    """Images of any size, with any breast, masses anywhere in it or nowhere."""
    store = {}
    for number in range(draw(st.integers(2, 7))):
        generator = np.random.default_rng(draw(st.integers(0, 999)))
        shape = tuple(generator.integers(4, 40, 2))
        breast = np.zeros(shape, bool)
        breast[: generator.integers(1, shape[0] + 1), : generator.integers(1, shape[1] + 1)] = True
        masses = draw(st.integers(0, 2))
        lesions = np.zeros(shape, np.uint8)
        for label in range(1, masses + 1):
            y, x = generator.integers(0, shape)
            lesions[y : y + 9, x : x + 9] = label
        lesions[~breast] = 0
        pixels = generator.integers(0, 4096, shape).astype(np.uint16)
        store[f"{number}"] = SimpleNamespace(pixels=pixels, breast=breast, lesions=lesions, masses=masses)
    return store


@settings(max_examples=60, deadline=None)
@given(
    cohorts(), st.sampled_from(sampling.NEGATIVES), st.sampled_from(sliding_windows.EDGES), st.integers(2, 9)
)
def test_equation_1_and_the_balances_hold_in_any_cohort(tmp_path_factory, store, policy, edge, window):
    path = tmp_path_factory.getbasetemp() / "cohort.h5"
    windows = sliding_windows.Windows(window, stride=3, edge=edge)
    begin = {name: sliding_windows.positions(each.breast, windows) for name, each in store.items()}
    positive = {
        name: sliding_windows.lesions(store[name].lesions, begin[name], windows) > 0 for name in store
    }
    positives = sum(map(np.sum, positive.values()))
    masses = {name for name, each in store.items() if each.masses}
    normal = store.keys() - masses
    sources = {"mass-images": masses, "normal-images": normal, "all-images": store.keys()}[policy]
    offered = {
        name: int((~positive[name] & whole).sum())
        for name in sources
        for whole in [
            sliding_windows.within_breast(store[name].breast, begin[name], windows)
            | (policy != "mass-images")
        ]
    }
    # The test part alone: of the others an empty class is refused.
    learning = {"m": image(1, mass=True), "n": image(2, mass=False)}
    parts = {"train": ["m", "n"], "validation": ["m", "n"], "test": sorted(store)}
    if positives and not sources:
        with pytest.raises(ValueError, match="got none among"):
            write(path, parts, store | learning, windows, policy, SEED)
        return
    count = write(path, parts, store | learning, windows, policy, SEED)["test"]
    with opened_bank(path) as opened:
        labels, images = opened.test.labels, opened.test.image_id
    assert labels.sum() == positives == count.positives
    assert set(images[labels == 0]) <= set(sources)
    taken = {name: int((images[labels == 0] == name).sum()) for name in sources}
    if policy != "normal-images":
        assert sum(taken.values()) == min(positives, sum(offered.values()))
    else:
        each = -(-positives // len(sources)) if sources else 0
        assert taken == {name: min(each, offered[name]) for name in sources}
    assert count.negatives == sum(taken.values())
