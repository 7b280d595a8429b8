"""The live page in a real browser, on a real broker: what it shows is what was published."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from processors.avro.facts import decode_fact
from processors.dashboard import Dashboard, Door
from processors.pipeline.dead_letters import told_by
from tests.builders import phantom
from tests.integration.browser import NoBrowser, chromium
from tests.integration.desk import STUDY, Desk, image
from tests.integration.faults import laws
from tests.integration.site import PATIENCE_S, Program, Site, until

HOSTILE = "<img src=x onerror=\"document.title='taken over'\"><b>CT1</b>"


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    try:
        with chromium(tmp_path_factory.mktemp("chromium")) as running:
            yield running
    except NoBrowser as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def browser(chrome: Chrome) -> Chrome:
    """Away from the last test's page, which is gone, and from what was said of it."""
    chrome.get("about:blank")
    complaints(chrome)
    return chrome


@pytest.fixture
def desk(site: Site) -> Desk:
    return Desk(site)


@pytest.fixture
def running(desk: Desk) -> Iterator[Program]:
    with desk.run() as program:
        yield program


def text(browser: Chrome, selector: str) -> str:
    return browser.find_element(By.CSS_SELECTOR, selector).text


def rows(browser: Chrome, selector: str) -> list[list[str]]:
    """Cells of a table's body."""
    script = (
        "return [...document.querySelectorAll(arguments[0] + ' tbody tr')]"
        ".map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    found: list[list[str]] = browser.execute_script(script, selector)
    return found


def tiles(browser: Chrome) -> dict[str, str]:
    script = (
        "return [...document.querySelectorAll('.tile')].map(tile => "
        "[...tile.children].map(each => each.textContent.trim()))"
    )
    return dict(browser.execute_script(script))


def complaints(browser: Chrome) -> list[str]:
    """What the browser says of the page in its console: refused content, failed loads."""
    return [str(entry) for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]


def facts(desk: Desk) -> list[dict[str, Any]]:
    found = [decode_fact(seen.value or b"") for seen in desk.site.read("analytics")]
    return sorted(found, key=lambda fact: fact["published_at"])


def expected_tiles(published: list[dict[str, Any]], letters: int, in_flight: int) -> dict[str, str]:
    latest = {fact["reference_id"]: fact for fact in published}
    late = [f for f in published if f["closed_by"] and f["revision"] > 1 and f["added"]]
    return {
        "References": str(len(latest)),
        "Revisions": str(len(published)),
        "Series in flight": str(in_flight),
        "Late revisions": str(len(late)),
        "Duplicates": str(sum(fact["duplicates"] for fact in latest.values())),
        "Dead letters": str(letters),
    }


def selection() -> bytes:
    instance = {"sop_instance_uid": f"{STUDY}.1.1", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2"}
    said = {
        "selection_id": "a",
        "code": {
            "system": "http://dicom.nema.org/resources/ontology/DCM",
            "code": "113000",
            "display": HOSTILE,
        },
        "text": HOSTILE,
        "instances": [instance],
    }
    return image(1, 1, event="selection.made", selection=said, source=HOSTILE)


def test_the_page_shows_what_is_published(desk: Desk, browser: Chrome, running: Program) -> None:
    site = desk.site
    with Dashboard(desk.settings, Door()) as page:
        browser.get(page.address)
        until(lambda: text(browser, "#connection") == "Live", "connected")
        assert text(browser, "#flight") == "No series waits."

        slow = [image(2, n, source="SLOW", number_of_series_related_instances=5) for n in (1, 2)]
        first = [image(1, 1, source=HOSTILE, modality=HOSTILE[-10:]), image(1, 1), *slow]
        site.send("instances", [(STUDY.encode(), value) for value in first])
        site.send("instances", [(b"k", b"{"), (b"k", image(1, 1, event="no.such")), (b"k", b"}")])
        site.send("reports", [(STUDY.encode(), selection())])
        until(lambda: len(facts(desk)) >= 2, "published", running)
        site.send("instances", [(STUDY.encode(), image(1, 2))])
        until(lambda: any(f["instance_count"] == 2 for f in facts(desk)), "amended", running)
        laws.no_lag(site)  # what is put aside is in other partitions
        site.settled()
        published, letters = facts(desk), [told_by(said) for *_, said in desk.read("dead_letters")]
        wanted = expected_tiles(published, 3, in_flight=1)
        until(
            lambda: tiles(browser).items() >= wanted.items(),
            f"the page shows {wanted}",
            running,
            found=lambda: tiles(browser),
        )

        kinds = Counter((fact["kind"], fact["modality"]) for fact in published)
        shown = {(kind, modality): int(count) for kind, modality, _, count in rows(browser, "#kinds")}
        assert shown == kinds
        rules = Counter(fact["closed_by"] for fact in published if fact["closed_by"])
        assert {rule: int(count) for rule, _, count, _ in rows(browser, "#rules")} == {
            each: rules[each] for each in ("counted", "completed", "quiet", "hard_stop")
        }
        assert rows(browser, "#letters > table") == [
            [code, str(count)] for code, count in sorted(Counter(each.code for each in letters).items())
        ]
        assert sum(int(count) for _, count in rows(browser, "#settle")) == sum(rules.values())
        ((_, modality, images, _, why),) = rows(browser, "#flight")
        assert (modality, images) == ("CT", "2 of 5")
        assert "3 of 5 expected images have not come" in why
        newest = [[fact["reference_id"][:8], str(fact["revision"])] for fact in reversed(published)]
        assert [row[1:3] for row in rows(browser, "#recent")] == newest

        assert HOSTILE in text(browser, "#recent")
        assert browser.title == "Imaging references, live"
        assert browser.find_elements(By.CSS_SELECTOR, "main img, main b") == []
        loaded = "return performance.getEntriesByType('resource').map(each => new URL(each.name).origin)"
        assert {each + "/" for each in browser.execute_script(loaded)} == {page.address}
        assert complaints(browser) == []
        _by_keyboard(desk, browser)
        _to_listen_to(browser)
        _on_a_telephone(browser)


def _by_keyboard(desk: Desk, browser: Chrome) -> None:
    """Past the head at once; a pause that holds the page still; what has the focus keeps it."""
    active = browser.switch_to.active_element
    active.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the figures"
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "main"

    pause = browser.find_element(By.ID, "pause")
    pause.send_keys(Keys.ENTER)
    before = tiles(browser)
    desk.site.send("instances", [(STUDY.encode(), image(3, 1))])
    held = f"return (waiting.numbers || '').includes('>{int(before['Revisions']) + 1}<')"
    until(lambda: browser.execute_script(held), "news is held back")
    assert (tiles(browser), pause.get_attribute("aria-pressed")) == (before, "true")

    link = browser.find_element(By.CSS_SELECTOR, "#recent a")
    name = link.get_attribute("id")
    browser.execute_script("arguments[0].focus()", link)
    browser.execute_script("document.getElementById('pause').click()")
    until(lambda: tiles(browser)["Revisions"] != before["Revisions"], "news is shown")
    assert browser.switch_to.active_element.get_attribute("id") == name

    browser.execute_script("document.getElementById('settle-summary').focus()")
    shown = tiles(browser)["Revisions"]
    desk.site.send("instances", [(STUDY.encode(), image(3, 2))])
    until(lambda: tiles(browser)["Revisions"] != shown, "further news is shown")
    assert browser.switch_to.active_element.get_attribute("id") == "settle-summary"


def _to_listen_to(browser: Chrome) -> None:
    """What a screen reader is told: landmarks, names, captions; no chart, which has its table."""
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    heard = {(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n["ignored"]}
    roles = {role for role, _ in heard}
    assert {"main", "banner", "search", "heading", "table", "columnheader", "rowheader", "status"} <= roles
    assert {("region", "Series in flight"), ("button", "Pause updates"), ("textbox", "Reference id")} <= heard
    assert not any(
        role in ("button", "link", "textbox", "region", "table") and not name for role, name in heard
    )
    assert not any("graphics" in role.lower() or role == "image" for role in roles)
    names = {name for role, name in heard if role == "heading"}
    assert {"Live", "Completion rules", "Dead letters", "Settle time, seconds", "References"} <= names


def _on_a_telephone(browser: Chrome) -> None:
    """Nothing is beyond the edge; what is wide scrolls within its own place."""
    screen = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    width = browser.execute_script("return document.documentElement.scrollWidth")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width == 400


def test_the_page_of_a_reference(desk: Desk, browser: Chrome, running: Program, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    phantom.main(str(archive / "study"))
    desk.ask("publish", str(archive))
    until(lambda: any(fact["kind"] == "segment" for fact in facts(desk)), "published", running)
    laws.no_lag(desk.site)  # no later revision while the page is looked at
    fact = next(fact for fact in facts(desk) if fact["kind"] == "segment")
    reference_id = fact["reference_id"]
    (archive / "study").rename(archive / fact["study_instance_uid"])

    with Dashboard(desk.settings, Door(), [archive]) as page:
        browser.get(page.address)
        browser.find_element(By.ID, "find").send_keys(reference_id, Keys.ENTER)
        until(lambda: reference_id in browser.current_url, "the page of the reference")
        told = json.loads(desk.ask("explain", reference_id, "--records", "--json"))
        assert [row[0] for row in rows(browser, "#history")] == [
            str(e["revision"]) for e in told["revisions"]
        ]
        values = [
            json.loads(s.value or b"") for s in desk.site.read("fhir") if s.key == reference_id.encode()
        ]
        assert json.loads(text(browser, "#json")) == values[-1]
        width = "const each = document.getElementById('picture'); return each.complete && each.naturalWidth"
        until(lambda: browser.execute_script(width), "the picture")
        browser.find_element(By.LINK_TEXT, "Read them and name each").send_keys(Keys.ENTER)
        until(lambda: browser.find_elements(By.ID, "records"), "its records")
        named = [[e["topic"], str(e["partition"]), str(e["offset"]), e["what"]] for e in told["records"]]
        assert rows(browser, "#records") == named
        assert [each["what"] for each in told["records"]] == ["DocumentArrived"]
        assert complaints(browser) == []
        for nothing in ("00000000-0000-5000-8000-000000000000", "..%2f..%2fetc", "%3Cb%3E"):
            assert _status(f"{page.address}references/{nothing}") == 404


def test_beyond_loopback_a_token_is_asked_for(desk: Desk, browser: Chrome) -> None:
    with Dashboard(desk.settings, Door("0.0.0.0")) as page:
        plain, _, token = page.address.partition("?token=")
        assert plain == f"http://localhost:{page.port}/"
        assert len(token) >= 32
        for path in ("", "events", "static/page.js", "references/x"):
            assert _status(plain + path) == 401
        browser.get(f"{plain}?token={token}")
        until(lambda: text(browser, "#connection") == "Live", "connected")
        assert browser.current_url == plain


def _status(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code
