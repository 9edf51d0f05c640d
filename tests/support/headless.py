"""A headless Chromium for the tests of pages, driven by Selenium."""

import json
import shutil
import time
from pathlib import Path

import axe_core_python
import pytest
from selenium import webdriver


def start(width=1280, height=800, dark=False):
    """A browser with a window of this size; the test is skipped where none is installed."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(programs[1]))
    driver.set_script_timeout(60)
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    return driver


def wait(driver, condition, seconds=60):
    """Return when a JavaScript expression is true."""
    until = time.monotonic() + seconds
    while not driver.execute_script(f"return Boolean({condition})"):
        assert time.monotonic() < until, f"waited in vain for {condition}"
        time.sleep(0.05)


def complaints(driver):
    """What the page has written to the console since the last call."""
    return [entry["message"] for entry in driver.get_log("browser")]


def requested(driver):
    """Addresses that the page has asked for since the last call."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]


def violations(driver):
    """What axe-core finds against the rules of accessibility: each rule with the elements that break it."""
    axe = Path(axe_core_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    driver.execute_script(axe)
    found = driver.execute_async_script("axe.run().then(arguments[0])")["violations"]
    return [(rule["id"], node["html"][:200]) for rule in found for node in rule["nodes"]]


def opened(driver, path, fragment=""):
    """Open a review page by its path, and wait until it is ready."""
    driver.get("about:blank")
    driver.get(f"{path.as_uri()}#{fragment}")
    wait(driver, "document.documentElement.dataset.ready")


def settled(driver, script):
    """Run a script on a review page, and return its value when all is drawn that it changed."""
    return driver.execute_async_script(
        f"const done = arguments[0]; (async () => {{ {script} }})().then((v) => drawing.then(() => done(v)))"
    )


def counts(driver, mode, fold):
    """What a review page counts in a mode, on a fold or on "all": a row for each step of the slider."""
    found = settled(
        driver,
        f"""
        const mode = models.get(page.chain).modes["{mode}"];
        const {{hits, falsePositives, targets, images}} = mode.counts("{fold}");
        return Array.from({{length: mode.steps + 1}}, (_, step) => [
          step ? mode.threshold(step) : null, hits[step], targets, falsePositives[step], images]);
        """,
    )
    return {row[0]: row[1:] for row in found}


def expected(rows):
    """The same from rows of ``froc-points`` or ``froc-pooled``, whose first threshold is infinite."""
    columns = ["hits", "targets", "false_positives", "images"]
    thresholds = rows["threshold"].replace(float("inf"), float("nan")).astype(object)
    return dict(
        zip(thresholds.where(thresholds.notna(), None), rows[columns].to_numpy().tolist(), strict=True)
    )
