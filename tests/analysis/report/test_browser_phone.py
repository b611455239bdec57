"""The page on a phone, 360 pixels wide: nothing is cut off, too small to read, or to touch."""

from pathlib import Path
from typing import Any

import pytest
from report_logs import IMAGES, Page, real_labels, run, write_log, write_page
from selenium.webdriver.common.by import By

WIDTH, HEIGHT = 360, 740
LEAST_TEXT, LEAST_TOUCH = 12.0, 36.0

_BESIDE = """
const width = document.documentElement.clientWidth;
return [...document.querySelectorAll('body *')]
  .filter((e) => !e.closest('.scroll, .tall, .unseen, .skip, .patterns, noscript, svg'))
  .map((e) => [e.tagName + '.' + e.className, e.getBoundingClientRect()])
  .filter(([, r]) => r.width && (r.right > width + 0.5 || r.left < -0.5))
  .map(([name, r]) => `${name} ${r.left}..${r.right}`);
"""
_SMALL = """
const small = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const e = walk.currentNode.parentElement;
  if (!walk.currentNode.data.trim() || e.closest('script, style, noscript')) continue;
  let size = parseFloat(getComputedStyle(e).fontSize);
  const drawing = e.closest('svg');
  if (drawing) size *= drawing.getBoundingClientRect().width / drawing.getAttribute('width');
  if (size < arguments[0] && e.getBoundingClientRect().width)
    small.push(`${size} ${walk.currentNode.data.trim()}`);
}
return small;
"""
_TOUCHED = """
return [...document.querySelectorAll('button, select, input, summary, nav a')]
  .map((e) => [e.outerHTML.slice(0, 60), e.getBoundingClientRect()])
  .filter(([, r]) => r.width && (r.height < arguments[0] || r.width < arguments[0]))
  .map(([name, r]) => `${name} ${r.width}x${r.height}`);
"""


@pytest.fixture
def phone(browser: Page, tmp_path: Path) -> Any:
    """A report of three logs with long names and pictures, all folds open."""
    logs = [
        write_log(
            tmp_path / f"resnet110_trained_with_noise_and_evaluated_sigma_{i}.tsv",
            real_labels(30, i),
            manifest=run(),
        )
        for i in range(3)
    ]
    driver = browser(write_page(tmp_path / "a.html", logs, source=str(IMAGES)), WIDTH)
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 3, "mobile": True},
    )
    driver.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    return driver


def test_a_phone_shows_the_whole_page(phone: Any) -> None:
    assert phone.execute_script("return innerWidth") == WIDTH
    assert phone.execute_script(_BESIDE) == []
    tables = phone.find_elements(By.CSS_SELECTOR, "table")
    assert len(tables) > 3
    for table in tables:  # wider than the screen: it scrolls within its own frame
        assert table.find_elements(By.XPATH, "ancestor::*[contains(@class, 'scroll') or "
                                             "contains(@class, 'tall')]")  # fmt: skip
    for chart in phone.find_elements(By.CSS_SELECTOR, ".chart > svg"):
        assert 200 <= chart.rect["width"] <= WIDTH
    assert phone.execute_script(_SMALL, LEAST_TEXT) == []
    assert phone.execute_script(_TOUCHED, LEAST_TOUCH) == []
