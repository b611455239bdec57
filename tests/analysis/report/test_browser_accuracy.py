"""The curves of certified accuracy in a real browser: exact at every radius."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_logs import Page, real_labels, run, write_log, write_page
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from smoothcert.analysis.accuracy import certified_accuracy, high_probability_accuracy
from smoothcert.analysis.envelope import NAME, with_envelope
from smoothcert.analysis.log import Log
from smoothcert.analysis.report.page import write_report
from smoothcert.analysis.report.sections import rounded_down
from smoothcert.analysis.table import accuracy_table


def ask(driver: Any, radius: float) -> list[list[str]]:
    """What the page reads at a radius that is typed in: name, accuracy, images, at least."""
    field = driver.find_element(By.ID, "radius-number")
    field.clear()
    field.send_keys(f"{radius:.6f}")
    return reading(driver)


def reading(driver: Any) -> list[list[str]]:
    rows = driver.find_elements(By.CSS_SELECTOR, "#accuracy-reading tr")
    return [[c.text for c in row.find_elements(By.CSS_SELECTOR, "th, td")] for row in rows]


def number(element: Any, attribute: str) -> float:
    return float(element.get_attribute(attribute))


def expected(log: Log, radius: float, alpha: float | None) -> list[str]:
    (accuracy,) = certified_accuracy(log, radius)
    lower = "–"
    if alpha is not None:
        lower = rounded_down(high_probability_accuracy(log, radius, alpha)[0])
    correct = round(accuracy * len(log))
    return [log.name, f"{accuracy:.3f}", f"{correct} of {len(log)}", lower]


def test_reading_is_exact_at_on_and_between_radii(browser: Page, tmp_path: Path) -> None:
    ours = write_log(tmp_path / "ours.tsv", real_labels(80))
    theirs = write_log(tmp_path / "theirs", real_labels(125, 1), original=True)
    driver = browser(write_page(tmp_path / "a.html", [ours, theirs]))
    certified = np.sort(ours.radius[ours.correct])
    asked = [0.0, 0.3, float(certified[20]), float(certified[20]) + 1e-6]
    asked += [float(certified[-1]), 2.0]
    for radius in asked:
        assert ask(driver, radius) == [
            expected(ours, radius, 0.001),
            expected(theirs, radius, None),
        ]


def test_the_envelope_is_read_and_drawn_beside_its_logs(browser: Page, tmp_path: Path) -> None:
    rows = real_labels(60, largest=0.5)
    far = [
        (label, predict, round(radius * (0.5 if i % 2 else 3), 6))
        for i, (label, predict, radius) in enumerate(rows)
    ]
    logs = [write_log(tmp_path / "near.tsv", rows), write_log(tmp_path / "far.tsv", far)]
    table = with_envelope(accuracy_table(logs, [0.0, 0.25, 1.0]), logs)
    page = tmp_path / "a.html"
    write_report(page, logs, table)
    driver = browser(page)
    for radius in (0.0, 0.2, 1.0, 2.0):
        *_, last = ask(driver, radius)
        (accuracy,) = np.max([certified_accuracy(log, radius) for log in logs], axis=0)
        (lower,) = np.max(
            [high_probability_accuracy(log, radius, 0.001, 0.0005) for log in logs], axis=0
        )
        assert last == [
            NAME, f"{accuracy:.3f}", f"{round(accuracy * 60)} of 60", rounded_down(lower),
        ]  # fmt: skip
    cells = driver.find_elements(By.CSS_SELECTOR, "#accuracy-table tr:nth-last-child(2) td")
    assert [cell.text for cell in cells] == ["near", "near", "far"]
    assert len(driver.find_elements(By.CSS_SELECTOR, "#accuracy-chart .envelope .curve")) == 1
    assert not driver.find_elements(By.CSS_SELECTOR, "#accuracy-chart .envelope .bound")
    driver.find_elements(By.CSS_SELECTOR, "#accuracy-legend button")[-1].click()
    assert not driver.find_elements(By.CSS_SELECTOR, "#accuracy-chart .envelope .curve")
    assert len(driver.find_elements(By.CSS_SELECTOR, "#accuracy-chart .curve")) == 2


def test_the_curve_is_drawn_in_steps_at_the_exact_places(browser: Page, tmp_path: Path) -> None:
    rows = [(1, 1, 0.5), (1, 1, 0.25), (1, 2, 0.9), (1, -1, 0.0)]
    driver = browser(write_page(tmp_path / "a.html", [write_log(tmp_path / "a.tsv", rows)]))
    path = driver.find_element(By.CSS_SELECTOR, "#accuracy-chart .curve").get_attribute("d") or ""
    start, *steps = re.findall(r"([MVH])([\d.]+)(?: ([\d.]+))?", path)
    assert set(re.sub(r"[\d. ]", "", path)) == {"M", "V", "H"}  # no slanted line
    # Axis ticks give the scale: 0 and .5 of the radius, 0 and 1 of the accuracy.
    frame = (By.CSS_SELECTOR, "#accuracy-chart .grid")
    texts = driver.find_element(*frame).find_elements(By.CSS_SELECTOR, "text[text-anchor=middle]")
    ticks = {text.text: number(text, "x") for text in texts}
    lines = driver.find_element(*frame).find_elements(By.TAG_NAME, "line")
    high = [number(a, "y1") for a in lines if number(a, "x1") != number(a, "x2")]
    y0, y1 = max(high), min(high)
    x0, scale = float(start[1]), ticks["0.4"] - float(start[1])
    walked = [(float(a) - x0) / scale * 0.4 if kind == "H" else (y0 - float(a)) / (y0 - y1)
              for kind, a, _ in steps]  # fmt: skip
    assert (y0 - float(start[2])) / (y0 - y1) == pytest.approx(0.5, abs=1e-3)
    assert walked == pytest.approx([0.5, 0.25, 0.25, 0.5, 0.0], abs=1e-3)


def test_the_pointer_and_the_slider_read_too(browser: Page, tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.tsv", real_labels(80))
    driver = browser(write_page(tmp_path / "a.html", [log]))
    chart = driver.find_element(By.CSS_SELECTOR, "#accuracy-chart svg")
    seen = []
    for offset in (-200, 0, 150):
        ActionChains(driver).move_to_element_with_offset(chart, offset, 0).perform()
        radius = number(driver.find_element(By.ID, "radius-number"), "value")
        assert reading(driver) == [expected(log, radius, 0.001)]
        seen.append(radius)
    assert seen == sorted(seen)
    assert len(set(seen)) == 3
    slider = driver.find_element(By.ID, "radius-slider")
    before = number(slider, "value")
    slider.send_keys(Keys.ARROW_LEFT * 3)
    radius = number(driver.find_element(By.ID, "radius-number"), "value")
    assert 0 < radius < before
    assert reading(driver) == [expected(log, radius, 0.001)]


def test_a_log_can_be_hidden_by_keyboard(browser: Page, tmp_path: Path) -> None:
    logs = [write_log(tmp_path / f"{n}.tsv", real_labels(30, i)) for i, n in enumerate("ab")]
    driver = browser(write_page(tmp_path / "a.html", logs))
    curves = (By.CSS_SELECTOR, "#accuracy-chart .curve")
    colours = {c.value_of_css_property("stroke") for c in driver.find_elements(*curves)}
    dashes = {c.value_of_css_property("stroke-dasharray") for c in driver.find_elements(*curves)}
    assert (len(colours), len(dashes)) == (2, 2)
    first = driver.find_element(By.CSS_SELECTOR, "#accuracy-legend button")
    first.send_keys(Keys.SPACE)
    assert first.get_attribute("aria-pressed") == "false"
    assert len(driver.find_elements(*curves)) == 1
    first.send_keys(Keys.ENTER)
    assert len(driver.find_elements(*curves)) == 2


def test_table_mode_is_a_lower_bound_between_its_radii(browser: Page, tmp_path: Path) -> None:
    manifest = run(procedure="table", radii=[0.0, 0.5])
    rows = [(1, 1, 0.5), (1, 1, 0.0)]
    log = write_log(tmp_path / "a.tsv", rows, manifest=manifest)
    driver = browser(write_page(tmp_path / "a.html", [log]))
    assert ask(driver, 0.5)[0][1] == "0.500"
    assert ask(driver, 0.3)[0][1] == "≥ 0.500"
