"""The page in a real browser: quiet, self-contained, inert, at every width, on paper."""

import json
from pathlib import Path
from typing import Any

import pytest
from report_logs import IMAGES, Page, real_labels, run, write_log, write_page
from selenium.webdriver.common.by import By

_OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


def said(driver: Any) -> list[Any]:
    """What the page said on the console since it was opened."""
    return driver.get_log("browser")  # type: ignore[no-any-return]


def requests(driver: Any) -> list[str]:
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return [params["request"]["url"] for params in sent]


def test_nothing_is_asked_for_and_nothing_complains(browser: Page, tmp_path: Path) -> None:
    logs = [write_log(tmp_path / "a.tsv", real_labels(40)),
            write_log(tmp_path / "b.tsv", real_labels(60, 1), original=True)]  # fmt: skip
    page = write_page(tmp_path / "a.html", logs, source=str(IMAGES))
    driver = browser(page)
    driver.find_element(By.ID, "certificates").location_once_scrolled_into_view  # noqa: B018
    assert driver.find_elements(By.CSS_SELECTOR, "td.picture img")
    assert said(driver) == []
    asked = requests(driver)
    assert page.as_uri() in asked  # the log of requests works
    assert [url for url in asked if url != page.as_uri() and not url.startswith("data:")] == []
    entries = driver.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name)"
    )
    assert [name for name in entries if not name.startswith("data:")] == []


def test_the_policy_stops_what_a_page_could_ask_for(browser: Page, tmp_path: Path) -> None:
    driver = browser(
        write_page(tmp_path / "a.html", [write_log(tmp_path / "a.tsv", real_labels(5))])
    )
    stopped = driver.execute_async_script(
        "const done = arguments[0]; const seen = [];"
        "addEventListener('securitypolicyviolation', (e) => seen.push(e.effectiveDirective));"
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        "document.body.append(s); const i = new Image(); i.src = 'file:///x.png';"
        "document.body.append(i); fetch('file:///x').catch(() => 0);"
        "setTimeout(() => done([seen, window.ran ?? null]), 300)"
    )
    assert set(stopped[0]) >= {"script-src-elem", "img-src", "connect-src"}
    assert stopped[1] is None


def test_hostile_names_are_inert(browser: Page, tmp_path: Path) -> None:
    attack = '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">'
    manifest = run(
        model={"name": attack, "arch": attack, "sha256": attack}, source={"name": attack}
    )
    manifest["procedure"] = attack
    hostile = 'script><img src=x onerror=window.hacked=1>".tsv'
    # Two logs of one name are shown with their folders: "x</script><img ...>".
    logs = [write_log(tmp_path / folder / hostile, real_labels(6), manifest=manifest)
            for folder in ("x<", "y<")]  # fmt: skip
    driver = browser(write_page(tmp_path / "a.html", logs))
    assert driver.execute_script("return window.hacked ?? null") is None
    assert driver.find_elements(By.CSS_SELECTOR, "img") == []
    assert said(driver) == []
    shown = driver.find_element(By.CSS_SELECTOR, "#summary tbody th").text
    assert shown == 'x</script><img src=x onerror=window.hacked=1>"'
    assert attack in driver.find_element(By.ID, "facts").text
    assert shown in driver.find_element(By.ID, "accuracy-legend").text


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 320, 1280])
def test_no_page_is_wider_than_its_window(
    browser: Page, tmp_path: Path, width: int, dark: bool
) -> None:
    name = "a-log-with-a-name-that-nobody-would-want-to-type-a-second-time-" * 2
    logs = [write_log(tmp_path / f"{name}{i}.tsv", real_labels(30, i)) for i in range(3)]
    driver = browser(write_page(tmp_path / "a.html", logs, source=str(IMAGES)), width, dark)
    assert driver.execute_script("return innerWidth") == width
    assert driver.execute_script(_OVERFLOW) <= 0
    ground = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, ground[4:-1].split(","))) < 60) == dark


def test_without_scripts_the_figures_are_there(browser: Page, tmp_path: Path) -> None:
    page = write_page(tmp_path / "a.html", [write_log(tmp_path / "a.tsv", real_labels(30))])
    driver = browser(page, scripts=False)
    assert "Scripts are off" in driver.find_element(By.ID, "summary").text
    assert driver.find_element(By.ID, "accuracy-table").is_displayed()
    assert not driver.find_element(By.ID, "accuracy-chart").is_displayed()
    assert "Scripts are off" not in browser(page).find_element(By.ID, "summary").text


def test_every_control_has_a_name_and_every_picture_a_text(browser: Page, tmp_path: Path) -> None:
    logs = [write_log(tmp_path / f"{i}.tsv", real_labels(30, i)) for i in range(2)]
    driver = browser(write_page(tmp_path / "a.html", logs, source=str(IMAGES)))
    driver.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    controls = driver.find_elements(By.CSS_SELECTOR, "button, input, select, [tabindex], summary")
    assert len(controls) > 20
    assert [c.get_attribute("outerHTML") for c in controls if not c.accessible_name] == []
    charts = driver.find_elements(By.CSS_SELECTOR, "svg[role=img]")
    assert len(charts) >= 7
    assert all(len(chart.accessible_name) > 10 for chart in charts)
    pictures = driver.find_elements(By.CSS_SELECTOR, "td.picture img")
    assert all(picture.get_attribute("alt") for picture in pictures)


def test_paper_gets_some_rows_and_no_controls(browser: Page, tmp_path: Path) -> None:
    driver = browser(
        write_page(tmp_path / "a.html", [write_log(tmp_path / "a.tsv", real_labels(200))])
    )
    driver.execute_script("dispatchEvent(new Event('beforeprint'))")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    assert len(driver.find_elements(By.CSS_SELECTOR, "tr[data-row]")) == 60
    assert "the first 60 of 200 certificates" in driver.find_element(By.ID, "certificates").text
    assert not driver.find_element(By.CSS_SELECTOR, ".filters").is_displayed()
    chart = (By.CSS_SELECTOR, "#accuracy-chart svg")
    assert driver.find_element(*chart).get_attribute("width") == "640"
    driver.execute_script("dispatchEvent(new Event('afterprint'))")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert driver.find_element(By.CSS_SELECTOR, ".filters").is_displayed()
    assert int(driver.find_element(*chart).get_attribute("width") or 0) > 900
    assert len(driver.find_elements(By.CSS_SELECTOR, "tr[data-row]")) < 60
