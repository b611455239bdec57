"""The page of images without labels, in a real browser: no word of right or wrong."""

from pathlib import Path
from typing import Any

from report_logs import Page, write_log, write_page
from selenium.webdriver.common.by import By


def test_predictions_are_certified_not_correct(browser: Page, tmp_path: Path) -> None:
    rows = [(-1, 3, 0.5), (-1, -1, 0.0), (-1, 4, 0.25)]
    driver: Any = browser(write_page(tmp_path / "a.html", [write_log(tmp_path / "a.tsv", rows)]))
    cells = driver.execute_script(
        "return [...document.querySelectorAll('tr[data-row] td.correct')].map(c => c.innerText)"
    )
    assert cells == ["✓ certified", "– abstained", "✓ certified"]
    assert not driver.find_elements(By.CSS_SELECTOR, ".certificates td.label, input[name=label]")
    outcomes = driver.find_elements(By.CSS_SELECTOR, "select[name=outcome] option")
    assert [option.text for option in outcomes] == ["all", "certified", "abstained"]
    bar = driver.find_element(By.CSS_SELECTOR, ".outcomes svg").get_attribute("aria-label")
    assert bar == "2 certified, 1 abstained"
    page = driver.find_element(By.TAG_NAME, "body").text
    assert "Certified share" in page
    for word in ("Wrong", "✗", "correct and"):
        assert word not in page
    assert driver.get_log("browser") == []
