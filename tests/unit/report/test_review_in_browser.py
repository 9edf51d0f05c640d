"""The review page in a browser, opened from a folder."""

import shutil

import headless
import pytest
from froc_cases import at_thresholds, settings_with
from headless import opened, settled
from review_site import CHAINS, FOLDS, Study

from mammoflow.evaluation import matching
from mammoflow.evaluation.definitions import MODES


@pytest.fixture(scope="module")
def browser():
    driver = headless.start()
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, site):
    """A freshly opened page; in the end, it has complained of nothing and asked for nothing but its files."""
    headless.complaints(browser), headless.requested(browser)
    opened(browser, site / CHAINS[0] / "index.html")
    yield browser
    assert headless.complaints(browser) == []
    elsewhere = [
        address
        for address in headless.requested(browser)
        if not address.startswith((site.as_uri(), "data:", "blob:", "about:"))
    ]
    assert elsewhere == []


def shown(driver):
    """What the page states: hits, targets, false positives, images, threshold."""
    return settled(driver, "return {...at('counts').dataset}")


@pytest.fixture
def press(page):
    def press(*keys):
        for key in keys:
            settled(
                page,
                f"""(document.activeElement ?? document.body).dispatchEvent(
                new KeyboardEvent("keydown", {{key: {key!r}, bubbles: true, cancelable: true}}))""",
            )
        return settled(page, "return {...state}")

    return press


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fold", ["all", *range(FOLDS)])
def test_counts_are_those_of_the_evaluation_at_every_threshold(page, written, study, mode, fold):
    report = written[1][CHAINS[0]]
    definition = next(each for each in study.evaluation.in_modes(CHAINS[0]) if each.mode == mode)
    rows = definition.rows(report.pooled if fold == "all" else report.points)
    expected = headless.expected(rows if fold == "all" else rows[rows["fold"] == fold])
    found = headless.counts(page, mode, fold)
    assert len(expected) > 5
    assert {threshold: found[threshold] for threshold in expected} == expected


def test_counts_under_other_rules_are_those_of_the_evaluation(browser, tmp_path):
    rules = settings_with(mode="candidate", duplicates="false-positive", fpi_over="normal")
    study = Study(tmp_path / "study", patients=4, evaluation=rules)
    report = study.write(tmp_path / "site")[CHAINS[0]]
    opened(browser, tmp_path / "site" / CHAINS[0] / "index.html")
    for definition in rules.in_modes(CHAINS[0]):
        expected = headless.expected(definition.rows(report.pooled))
        found = headless.counts(browser, definition.mode, "all")
        assert 0 < next(iter(expected.values()))[3] < len(study.cases)
        assert {threshold: found[threshold] for threshold in expected} == expected


def test_an_incomplete_copy_says_so(browser, site, tmp_path):
    copy = shutil.copytree(site, tmp_path / "copy")
    shutil.rmtree(copy / CHAINS[0].split("/")[0] / "shard-1")
    browser.get((copy / CHAINS[0] / "index.html").as_uri())
    headless.wait(
        browser, "document.getElementById('message').textContent.includes('copy the complete folder')"
    )
    headless.complaints(browser)


def test_a_model_that_was_not_copied_is_named(page, site, tmp_path):
    copy = shutil.copytree(site, tmp_path / "copy")
    shutil.rmtree(copy / CHAINS[1])
    opened(page, copy / CHAINS[0] / "index.html")
    listed(page, other=CHAINS[1])
    assert "natural/model.js is not in this folder" in settled(page, "return at('message').textContent")
    assert settled(page, "return state.other") == ""
    headless.complaints(page), headless.requested(page)


def test_the_slider_moves_the_counts_and_the_marks_of_every_image(page, study, written):
    pooled = study.evaluation.definition.rows(written[1][CHAINS[0]].pooled)
    for step in (0, 1, 12, len(pooled) - 1):
        row = pooled.iloc[step]
        put(page, "threshold", step)
        stated = {key: int(value) for key, value in shown(page).items() if key != "threshold"}
        assert stated == {
            "hits": row["hits"],
            "targets": row["targets"],
            "falsePositives": row["false_positives"],
            "images": row["images"],
        }
        assert float(shown(page)["threshold"]) == row["threshold"]
        sums = settled(
            page,
            """const tallies = [...cases.keys()].map((number) => mode().tally(number, step()));
            const drawn = [...cases.keys()].flatMap((number) => mode().boxesOf(number, step()));
            const verdict = (word) => drawn.filter((box) => box.verdict === word).length;
            return [tallies.reduce((sum, each) => sum + each.hits, 0), verdict("hit"),
              tallies.reduce((sum, each) => sum + each.falsePositives, 0), verdict("false-positive")]""",
        )
        assert sums == [row["hits"]] * 2 + [row["false_positives"]] * 2
        dot = settled(page, "return [+curve.dot.getAttribute('cx'), +curve.dot.getAttribute('cy')]")
        size = settled(page, "return Curve.SIZE")
        height = size["height"] - size["top"] - size["bottom"]
        assert dot[1] == pytest.approx(size["top"] + height * (1 - row["tpr"]))


def put(driver, name, value):
    """Set a control as a user does."""
    settled(
        driver,
        f"""const control = at("{name}");
        control.value = "{value}";
        control.dispatchEvent(new Event("input", {{bubbles: true}}))""",
    )


def missed_images(study, threshold):
    """Names of the images on which the first model misses a mass, by the evaluation."""
    definition = study.evaluation.definition
    _, detections, candidates = study.model(0)
    names = study.cases.set_index("image_id")["case"]
    missed = set()
    for fold in study.folds(detections, candidates):
        boxes = matching.of_maps(fold)[definition.mode]
        matches = matching.match(boxes, fold.lesions, fold.images["image_id"], definition)
        (place,) = (matches.thresholds == threshold).nonzero()
        hit = at_thresholds(matches.hit)[place].any(axis=0)
        missed |= set(names[fold.lesions.loc[~hit, "image_id"]])
    return missed


def listed(driver, **changes):
    """Names of the images that are listed after a change of the controls."""
    for name, value in changes.items():
        put(driver, name, value)
    return settled(driver, "return gallery.items.map((number) => cases[number].name)")


def test_filters(page, study):
    every = listed(page)
    assert every == study.cases["case"].tolist()
    threshold = float(shown(page)["threshold"])
    missed = missed_images(study, threshold)
    assert 0 < len(missed) < len(every)
    assert set(listed(page, show="missed")) == missed
    assert set(listed(page, side="R")) == {name for name in missed if "-R-" in name}
    with_mass = set(study.cases.set_index("image_id")["case"][study.lesions["image_id"]])
    assert set(listed(page, show="normal", side="")) == set(every) - with_mass
    small = study.lesions[study.lesions["area_cm2"] < 1]
    benign = study.lesions[study.lesions["pathology"] == "BENIGN"]
    names = study.cases.set_index("image_id")["case"]
    assert set(listed(page, show="all", size="small")) == set(names[small["image_id"]])
    assert set(listed(page, size="", pathology="BENIGN")) == set(names[benign["image_id"]])
    fold = study.cases[study.cases["fold"] == 1]
    assert set(listed(page, pathology="", fold="1")) == set(fold["case"])
    flagged = study.images[study.images["flags"] != ""]
    assert set(listed(page, fold="all", remarks="yes")) == set(names[flagged["image_id"]])
    settled(page, "at('clear').click()")
    assert listed(page) == every


def test_images_are_sorted_by_the_score_of_their_worst_false_positive_and_least_found_mass(page):
    worst = "return gallery.items.map((number) => mode().worst[number])"
    listed(page, sort="worst-false-positive")
    values = settled(page, worst)
    assert values == sorted(values, reverse=True)
    listed(page, sort="least-found-mass")
    values = settled(page, "return gallery.items.map((number) => mode().least[number])")
    numbers = [value for value in values if value is not None]
    assert numbers == sorted(numbers) == values[: len(numbers)]
    assert len(numbers) < len(values)


def test_an_image_opens_at_working_resolution_with_its_boxes(page, study):
    settled(page, "return change({image: '2-R-MLO'})")
    size = settled(page, "const {x, y} = panes[0].viewer.world.getItemAt(0).getContentSize(); return [y, x]")
    assert size == list(study.stored[0].pixels.shape)
    drawn = settled(page, "return [...document.querySelectorAll('#pane-0 .box:not(.missed)')].length")
    assert drawn == settled(page, "return mode().boxesOf(numberOf.get('2-R-MLO'), step()).length")
    before = settled(page, "return panes[0].viewer.drawer.canvas.style.filter")
    put(page, "high", 50)
    assert settled(page, "return panes[0].viewer.drawer.canvas.style.filter") != before
    put(page, "map", 0)
    assert settled(page, "return panes[0].map.style.opacity") == "0"
    pixels = "[...panes[0].map.getContext('2d').getImageData(0, 0, 100, 100).data]"
    assert settled(page, f"return {pixels}.some(Boolean)")


def test_keys(page, press):
    names = settled(page, "return cases.map(({name}) => name)")
    settled(page, "gallery.choose(3, true)")
    assert press("ArrowRight", "Enter")["image"] == names[4]
    assert press("n")["image"] == names[5]
    assert press("p", "ArrowLeft")["image"] == names[3]
    before = settled(page, "return step()")
    assert settled(page, "return step()") == before
    press("]", "]", "[")
    assert settled(page, "return step()") == before + 1
    assert press("m")["mode"] == "candidate"
    assert press("m")["mode"] == "paper"
    assert press("v")["layout"] == "views"
    views = settled(page, "return panes.map((pane) => pane.case.name)")
    assert views[0] == names[3]
    assert views[1].split("-")[:2] == views[0].split("-")[:2]
    assert views[1].split("-")[2] != views[0].split("-")[2]
    state = press("c")
    assert (state["layout"], state["other"]) == ("models", CHAINS[1])
    assert settled(page, "return panes.map((pane) => pane.case.name)") == [names[3]] * 2
    chains = settled(page, "return wanted().map(({chain}) => chain)")
    assert chains == CHAINS
    state = press("b", "a", "i", "h", "+", "-", "0")
    assert [state[key] for key in ("outlines", "masses", "invert", "map")] == [False, False, True, "0"]
    assert press("r")["invert"] is False
    assert press("Escape")["image"] == ""
    press("?")
    assert settled(page, "return at('help').open")
    settled(page, "at('help').close()")


def test_the_other_kind_of_boxes_has_nearly_as_many_false_positives(page, press):
    settled(page, "return moveThreshold(mode().stepOfFpi(0.5))")
    before = settled(page, "return step()")
    wanted = int(shown(page)["falsePositives"])
    press("m")
    there = settled(page, "return step()")
    every = settled(page, "return [...mode().counts('all').falsePositives]")
    assert abs(every[there] - wanted) == min(abs(each - wanted) for each in every)
    # Back and forth, nothing drifts.
    for expected in (before, there, before):
        press("m")
        assert settled(page, "return step()") == expected


def test_side_by_side_and_back_leaves_the_whole_image_in_view(page, press):
    settled(page, f"return change({{image: '3-L-CC', other: '{CHAINS[1]}'}})")
    whole = "return panes[0].viewer.viewport.getZoom() / panes[0].viewer.viewport.getHomeZoom()"
    for key in "cccvvc":
        press(key)
        assert settled(page, whole) == pytest.approx(1)


def test_filters_are_cleared_and_the_comparison_stays(page):
    settled(page, f"return change({{image: '3-L-CC', other: '{CHAINS[1]}', show: 'missed'}})")
    settled(page, "return clear()")
    state = settled(page, "return {...state}")
    assert (state["show"], state["other"], state["image"]) == ("all", CHAINS[1], "3-L-CC")
    assert settled(page, "return cases[gallery.items[gallery.current]].name") == "3-L-CC"


def test_two_models_are_compared_at_as_many_false_positives(page, written, study):
    listed(page, other=CHAINS[1])
    other = study.evaluation.definition.rows(written[1][CHAINS[1]].pooled)
    allowed = int(shown(page)["falsePositives"])
    best = other.loc[other["false_positives"] <= allowed, "hits"].max()
    assert settled(page, "return otherMode().counts('all').hits[otherStep()]") == best
    here = listed(page, show="only-here")
    there = listed(page, show="only-there")
    assert here != there
    assert len(here) + len(there) > 0
    hits = int(shown(page)["hits"])
    only = settled(
        page,
        """const count = (one, its, other, step) => [...cases.keys()].reduce((sum, number) => {
          const missing = other.foundOn(number, step);
          return sum + [...one.foundOn(number, its)].filter((lesion) => !missing.has(lesion)).length}, 0);
        const here = [mode(), step()], there = [otherMode(), otherStep()];
        return [count(...here, ...there), count(...there, ...here)]""",
    )
    assert only[0] - only[1] == hits - best


def test_the_address_leads_to_the_same_image_and_threshold(page, site, press):
    settled(page, "return change({image: '3-L-CC', mode: 'candidate', layout: 'views', show: 'masses'})")
    press("]", "]", "]")
    headless.wait(page, "new URLSearchParams(location.hash.slice(1)).get('threshold') === state.threshold")
    address, before = page.current_url, shown(page)
    opened(page, site / CHAINS[0] / "index.html", address.partition("#")[2])
    assert shown(page) == before
    state = settled(page, "return {...state}")
    assert [state[key] for key in ("image", "mode", "layout", "show")] == [
        "3-L-CC",
        "candidate",
        "views",
        "masses",
    ]
    assert settled(page, "return panes.map((pane) => pane.case.name)") == ["3-L-CC", "3-L-MLO"]


def test_only_thumbnails_in_view_exist(page):
    settled(page, "gallery.show(Array.from({length: 20000}, (_, place) => place % cases.length))")
    counts = []
    for top in (0, 100_000, 500_000):
        settled(page, f"at('gallery').scrollTop = {top}; await new Promise((next) => setTimeout(next, 50))")
        counts.append(settled(page, "return document.querySelectorAll('.tile').length"))
        assert settled(page, "return Math.max(...gallery.tiles.keys()) < 20000")
    assert 0 < max(counts) < 120


@pytest.mark.parametrize("dark", [False, True])
def test_no_violation_of_accessibility_rules(site, dark):
    driver = headless.start(dark=dark)
    try:
        opened(driver, site / CHAINS[0] / "index.html")
        for script in ("", "await change({image: '1-L-CC'})", "await compare()", "at('help').showModal()"):
            settled(driver, script)
            assert headless.violations(driver) == []
    finally:
        driver.quit()
