import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoflow.detection import mpm
from mammoflow.patches import sampling, sliding_windows
from mammoflow.patches.sampling import Supply
from mammoflow.patches.sliding_windows import Windows

sizes = st.integers(1, 60)
settings = st.builds(
    Windows, window=st.integers(1, 20), stride=st.integers(1, 20), edge=st.sampled_from(sliding_windows.EDGES)
)


@pytest.mark.parametrize(
    ("positives", "images", "each", "total"),
    [(2020, 191, 11, 2101), (539, 61, 9, 549), (882, 51, 18, 918)],
)
def test_equation_1_rounds_as_table_1(positives, images, each, total):
    assert sampling.negatives_per_image(positives, images) == each
    assert each * images == total


@pytest.mark.parametrize(
    ("positives", "images", "total"), [(2020, 191, 2101), (539, 61, 549), (882, 51, 918)]
)
def test_share_of_normal_images_gives_table_1(positives, images, total):
    masses = np.repeat([True, False], [66, images])
    supply = Supply(np.where(masses, 0, 0), np.full(len(masses), 500), masses)
    supply.positives[0] = positives
    counts, short = sampling.share(supply, "normal-images", np.random.default_rng(0))
    assert (counts.sum(), short) == (total, 0)
    assert counts[masses].sum() == 0


@given(st.integers(0, 10_000), st.integers(1, 400))
def test_equation_1_is_the_least_number_that_balances(positives, images):
    each = sampling.negatives_per_image(positives, images)
    assert (each - 1) * images < positives <= each * images or positives == each == 0


def test_image_with_fewer_windows_gives_all_and_the_lack_is_told():
    supply = Supply(np.array([10, 0, 0]), np.array([50, 2, 9]), np.array([True, False, False]))
    counts, short = sampling.share(supply, "normal-images", np.random.default_rng(0))
    assert counts.tolist() == [0, 2, 5]
    assert short == 3


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 300)), min_size=1, max_size=20), st.integers(0, 99)
)
def test_mass_images_balance_exactly_where_they_can(images, seed):
    positives, negatives = np.array(images).T
    supply = Supply(positives, negatives, np.ones(len(images), bool))
    counts, short = sampling.share(supply, "mass-images", np.random.default_rng(seed))
    assert counts.sum() == min(positives.sum(), negatives.sum())
    assert short == positives.sum() - counts.sum()
    assert (counts <= negatives).all()
    assert (counts >= 0).all()


def test_mass_images_alone_give_negatives_under_mass_images():
    supply = Supply(np.array([5, 0]), np.array([3, 100]), np.array([True, False]))
    counts, short = sampling.share(supply, "mass-images", np.random.default_rng(0))
    assert (counts.tolist(), short) == ([3, 0], 2)


@given(seed=st.integers(0, 99))
def test_all_images_give_negatives_by_their_windows_under_all_images(seed):
    supply = Supply(np.array([400, 0]), np.array([1000, 3000]), np.array([True, False]))
    counts, short = sampling.share(supply, "all-images", np.random.default_rng(seed))
    assert (counts.sum(), short) == (400, 0)
    assert 50 < counts[0] < 150


def test_no_image_to_take_negatives_from_is_refused():
    supply = Supply(np.array([5]), np.array([3]), np.array([True]))
    with pytest.raises(ValueError, match=r"expected images to draw from.*'normal-images', got none among 1"):
        sampling.share(supply, "normal-images", np.random.default_rng(0))


def test_unknown_policy_is_refused():
    supply = Supply(np.array([5]), np.array([3]), np.array([True]))
    with pytest.raises(ValueError, match="expected one of mass-images, normal-images, all-images, got 'all'"):
        sampling.share(supply, "all", np.random.default_rng(0))


@given(sizes, sizes, settings)
def test_inside_windows_are_whole_and_centred_ones_cover(rows, columns, windows):
    for length, begin in zip((rows, columns), sliding_windows.grid((rows, columns), windows), strict=True):
        assert (np.diff(begin) == windows.stride).all()
        if windows.edge == "inside":
            assert len(begin) == max(0, (length - windows.window) // windows.stride + 1)
            assert (begin >= 0).all()
            assert (begin + windows.window <= length).all()
        else:
            centres = begin + windows.half
            assert 0 <= centres[0] < windows.stride / 2 + 0.5
            assert 0 <= length - 1 - centres[-1] < windows.stride / 2 + 0.5


def test_paper_grid():
    top, left = sliding_windows.grid((3328, 2560), Windows(224, 56, "inside"))
    assert (len(top), len(left)) == (56, 42)


@given(sizes, sizes, settings, st.integers(0, 99))
def test_positions_and_labels_follow_the_central_pixel(rows, columns, windows, seed):
    generator = np.random.default_rng(seed)
    breast = generator.random((rows, columns)) < 0.6
    lesions = generator.integers(0, 3, (rows, columns)) * breast
    begin = sliding_windows.positions(breast, windows)
    top, left = sliding_windows.grid(breast.shape, windows)
    expected = [
        (y, x, lesions[y + windows.window // 2, x + windows.window // 2])
        for y in top
        for x in left
        if breast[y + windows.window // 2, x + windows.window // 2]
    ]
    found = sliding_windows.lesions(lesions, begin, windows)
    assert [(*place, lesion) for place, lesion in zip(begin.tolist(), found, strict=True)] == expected
    assert sliding_windows.in_breast(breast, windows).sum() == len(begin)


def fraction(window):
    return sliding_windows.Windows(window, 1, "inside", "fraction")


def test_half_of_a_small_mass_is_enough():
    lesions = np.zeros((20, 20), np.uint8)
    lesions[4:8, 4:8] = 3  # 16 pixels
    begin = np.array([[0, 0], [0, 1], [2, 0], [6, 0], [7, 0], [0, 6], [12, 12]])
    # Windows of 8 pixels see all columns or some, and rows down to their end.
    shown = [16, 16, 16, 8, 4, 8, 0]
    found = sliding_windows.lesions(lesions, begin, fraction(8))
    assert found.tolist() == [3 if pixels >= 8 else 0 for pixels in shown]


def test_of_a_large_mass_half_of_the_window_is_enough():
    lesions = np.zeros((20, 40), np.uint8)
    lesions[:, 20:] = 1
    begin = np.array([[4, 15], [4, 16], [4, 17], [4, 30]])  # 3, 4, 5 and 8 of 8 columns
    assert sliding_windows.lesions(lesions, begin, fraction(8)).tolist() == [0, 1, 1, 1]


def test_of_two_masses_the_one_of_the_larger_share_counts():
    lesions = np.zeros((12, 12), np.uint8)
    lesions[2:6, 1:5] = 1
    lesions[2:4, 6:8] = 2
    # Of the first mass two columns of four, of the second all; then all of the first, half of the second.
    begin = np.array([[1, 3], [1, 1]])
    assert sliding_windows.lesions(lesions, begin, fraction(6)).tolist() == [2, 1]


@given(sizes, sizes, st.integers(1, 9), st.integers(0, 99))
def test_fractions_are_those_counted_window_by_window(rows, columns, window, seed):
    generator = np.random.default_rng(seed)
    lesions = generator.integers(0, 3, (rows, columns)).astype(np.uint8)
    windows = sliding_windows.Windows(window, 2, "centred", "fraction")
    begin = sliding_windows.positions(np.ones((rows, columns), bool), windows)
    for (y, x), found in zip(begin, sliding_windows.lesions(lesions, begin, windows), strict=True):
        seen = lesions[max(y, 0) : y + window, max(x, 0) : x + window]
        shares = {
            lesion: (seen == lesion).sum() / min((lesions == lesion).sum(), window**2)
            for lesion in (1, 2)
            if (lesions == lesion).any()
        }
        best = max(shares.values(), default=0)
        assert found == 0 if best < 0.5 else shares[found] == best


def test_an_unknown_label_is_refused():
    with pytest.raises(ValueError, match=r"patches.label: expected one of centre, fraction, got 'area'"):
        sliding_windows.Windows(8, 4, "inside", "area")


@given(sizes, sizes, settings, st.integers(0, 99), st.sampled_from([0.01, 0.3, 1]))
def test_other_windows_change_the_map_nowhere_in_the_breast(rows, columns, windows, seed, share):
    generator = np.random.default_rng(seed)
    breast = generator.random((rows, columns)) < share
    top, left = sliding_windows.grid(breast.shape, windows)
    centres = top + windows.half, left + windows.half
    answers = generator.random((len(top), len(left)))
    needed = sliding_windows.supporting(breast, windows)
    assert not (sliding_windows.in_breast(breast, windows) & ~needed).any()
    few, all_of_them = (
        mpm.probability_map(values, *centres, breast) for values in (answers * needed, answers)
    )
    np.testing.assert_array_equal(few, all_of_them)


def test_windows_far_from_the_breast_are_not_needed():
    breast = np.zeros((60, 60), bool)
    breast[20:31, :11] = True
    needed = np.zeros((6, 6), bool)
    needed[2:5, :3] = True
    np.testing.assert_array_equal(sliding_windows.supporting(breast, Windows(1, 10, "inside")), needed)


@given(sizes, sizes, settings, st.integers(0, 99))
def test_border_windows_are_those_with_a_pixel_outside_the_breast(rows, columns, windows, seed):
    generator = np.random.default_rng(seed)
    breast = generator.random((rows, columns)) < 0.99
    begin = sliding_windows.positions(breast, windows)
    expected = [
        breast[max(y, 0) : y + windows.window, max(x, 0) : x + windows.window].all() for y, x in begin
    ]
    assert sliding_windows.within_breast(breast, begin, windows).tolist() == expected


@given(sizes, sizes, settings)
def test_cut_mirrors_beyond_the_edge(rows, columns, windows):
    pixels = np.arange(rows * columns, dtype=np.uint16).reshape(rows, columns)
    begin = sliding_windows.positions(np.ones(pixels.shape, bool), windows)
    pad = windows.window
    around = np.pad(pixels, pad, mode="reflect")
    found = sliding_windows.cut(pixels, begin, windows.window)
    assert found.shape == (len(begin), windows.window, windows.window)
    assert found.dtype == np.uint16
    if rows > pad and columns > pad:
        for patch, (y, x) in zip(found, begin + pad, strict=True):
            np.testing.assert_array_equal(patch, around[y : y + pad, x : x + pad])
    centres = begin + windows.half
    np.testing.assert_array_equal(found[:, windows.half, windows.half], pixels[centres[:, 0], centres[:, 1]])


@pytest.mark.parametrize(("window", "stride", "edge"), [(0, 1, "inside"), (8, -1, "inside"), (8, 1, "torn")])
def test_impossible_windows_are_refused(window, stride, edge):
    with pytest.raises(ValueError, match=r"patches.*expected.*got"):
        Windows(window, stride, edge)
