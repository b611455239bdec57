"""The table of certificates in a real browser: sorting, filters and pictures."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from report_logs import IMAGES, Page, real_labels, write_log, write_page
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select


def column(driver: Any, name: str) -> list[str]:
    """The texts of a column's cells that are in the page, top to bottom."""
    return driver.execute_script(  # type: ignore[no-any-return]
        "return [...document.querySelectorAll(`tr[data-row] td.${arguments[0]}`)]"
        ".map(cell => cell.innerText)",
        name,
    )


def header(driver: Any, name: str) -> Any:
    return driver.find_element(By.CSS_SELECTOR, f".certificates th.{name} button")


def order(driver: Any, name: str) -> str | None:
    return header(driver, name).find_element(By.XPATH, "..").get_attribute("aria-sort")  # type: ignore[no-any-return]


def found(driver: Any) -> str:
    return driver.find_element(By.CSS_SELECTOR, "output.found").text  # type: ignore[no-any-return]


def test_the_rows_are_the_logs(browser: Page, tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.tsv", real_labels(20))
    driver = browser(write_page(tmp_path / "a.html", [log]))
    names = log.path.read_text().splitlines()[0].split("\t")
    assert column(driver, "radius") == [f"{r:.6f}" for r in log.radius]
    for name in set(names) - {"radius", "correct", "time", "n0", "pixels"}:
        shown = [text.replace(",", "") for text in column(driver, name)]
        assert shown == [str(v) for v in getattr(log, name)], name
    words = {"✓ correct": 1, "✗ wrong": 0, "– abstained": -1}
    outcome = np.where(log.abstained, -1, log.correct)
    assert [words[text] for text in column(driver, "correct")] == outcome.tolist()
    assert column(driver, "time") == ["0.500000"] * 20


def test_sorting_by_mouse_and_by_keyboard(browser: Page, tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.tsv", real_labels(300))
    driver = browser(write_page(tmp_path / "a.html", [log]))
    ascending = [f"{r:.6f}" for r in np.sort(log.radius)]
    header(driver, "radius").click()
    assert order(driver, "radius") == "ascending"
    top = column(driver, "radius")
    assert top == ascending[: len(top)]
    header(driver, "radius").click()
    top = column(driver, "radius")
    assert (order(driver, "radius"), top) == ("descending", ascending[::-1][: len(top)])

    header(driver, "radius").send_keys(Keys.TAB)  # from radius to correct
    focused = driver.switch_to.active_element
    assert focused.text.startswith("correct")
    focused.send_keys(Keys.ENTER)
    assert order(driver, "radius") == "none"
    assert set(column(driver, "correct")[:10]) == {"✗ wrong"}
    driver.switch_to.active_element.send_keys(Keys.SPACE)  # the focus stayed on its button
    assert set(column(driver, "correct")[:10]) == {"– abstained"}
    driver.switch_to.active_element.send_keys(Keys.SPACE)
    assert order(driver, "correct") == "none"
    assert column(driver, "idx")[:3] == ["0", "1", "2"]


def test_a_focus_can_be_seen(browser: Page, tmp_path: Path) -> None:
    driver = browser(
        write_page(tmp_path / "a.html", [write_log(tmp_path / "a.tsv", real_labels(5))])
    )
    header(driver, "idx").send_keys(Keys.TAB)
    focused = driver.switch_to.active_element
    assert focused.value_of_css_property("outline-style") == "solid"
    assert focused.value_of_css_property("outline-width") == "3px"


def test_filters_by_mouse_and_by_keyboard(browser: Page, tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.tsv", real_labels(300))
    driver = browser(write_page(tmp_path / "a.html", [log]))
    assert found(driver) == "300 of 300 certificates"
    outcome = driver.find_element(By.NAME, "outcome")
    Select(outcome).select_by_visible_text("abstained")
    assert found(driver) == f"{log.abstained.sum()} of 300 certificates"
    outcome.send_keys("w")  # by its first letter: wrong
    wrong = ~log.correct & ~log.abstained
    assert found(driver) == f"{wrong.sum()} of 300 certificates"
    driver.find_element(By.NAME, "least").send_keys("0.5")
    expected = log.idx[wrong & (log.radius >= 0.5)]
    assert column(driver, "idx") == [str(i) for i in expected][: len(column(driver, "idx"))]
    assert found(driver) == f"{len(expected)} of 300 certificates"
    driver.find_element(By.NAME, "label").send_keys("99")
    assert found(driver) == "0 of 300 certificates"
    assert "No certificate passes" in driver.find_element(By.ID, "certificates-card").text
    driver.find_element(By.CSS_SELECTOR, "button[type=reset]").send_keys(Keys.ENTER)
    driver.execute_async_script("setTimeout(arguments[0], 50)")
    assert found(driver) == "300 of 300 certificates"
    driver.find_element(By.NAME, "idx").send_keys("217", Keys.ENTER)
    assert column(driver, "idx") == ["217"]


def test_scrolling_shows_every_row_and_keeps_few_in_the_page(browser: Page, tmp_path: Path) -> None:
    rows = [(1, 1, i / 10_000) for i in range(3000)]
    driver = browser(write_page(tmp_path / "a.html", [write_log(tmp_path / "a.tsv", rows)]))
    scroller = driver.find_element(By.CSS_SELECTOR, ".tall")
    seen: set[str] = set()
    for _ in range(400):
        top = column(driver, "idx")
        assert len(top) < 80
        seen.update(top)
        if "2999" in top:
            break
        driver.execute_async_script(
            "arguments[0].scrollTop += arguments[0].clientHeight;"
            "requestAnimationFrame(() => requestAnimationFrame(arguments[1]))",
            scroller,
        )
    assert seen == {str(i) for i in range(3000)}
    # The last row is in sight, not only in the page.
    last = driver.find_element(By.CSS_SELECTOR, "tr[data-row='2999']").rect
    frame = scroller.rect
    assert frame["y"] <= last["y"] <= frame["y"] + frame["height"]


def test_several_logs_of_different_columns(browser: Page, tmp_path: Path) -> None:
    ours = write_log(tmp_path / "ours.tsv", real_labels(30))
    theirs = write_log(tmp_path / "theirs", real_labels(45, 1), original=True)
    driver = browser(write_page(tmp_path / "a.html", [ours, theirs], source=str(IMAGES)))
    Select(driver.find_element(By.NAME, "log")).select_by_visible_text("theirs")
    assert found(driver) == "45 of 45 certificates"
    assert column(driver, "covers") == []
    assert column(driver, "radius")[:20] == [f"{r:.6f}" for r in theirs.radius[:20]]
    assert len(driver.find_elements(By.CSS_SELECTOR, "#radii article")) == 2
    assert "Not recorded" in driver.find_elements(By.CSS_SELECTOR, "#work article")[1].text


def test_a_row_shows_its_own_image(browser: Page, tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.tsv", real_labels(120))
    driver = browser(write_page(tmp_path / "a.html", [log], source=str(IMAGES)))
    header(driver, "radius").click()
    images = np.load(IMAGES)["images"]
    rows = driver.find_elements(By.CSS_SELECTOR, "tr[data-row]")[:12]
    for row in rows:
        index = int(row.find_element(By.CSS_SELECTOR, "td.idx").text)
        picture = row.find_element(By.TAG_NAME, "img")
        head, _, data = str(picture.get_attribute("src")).partition(",")
        assert head == "data:image/png;base64"
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        assert (pixels == images[index].squeeze()).all()
        assert picture.get_attribute("alt") == f"image {index}"
        assert driver.execute_script("return arguments[0].naturalWidth", picture) == 28
