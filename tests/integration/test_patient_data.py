"""The program on a real broker, at its most talkative, over records with a marked word in every place."""

from __future__ import annotations

import json
import urllib.request

from msgspec.structs import replace

from processors.avro.facts import decode_fact
from processors.settings.sections import Logging
from tests.builders.marked import MARK, records
from tests.integration.desk import Desk
from tests.integration.site import Site, until

EVERY = 9
"""The unit test has them all."""


def read(site: Site, role: str) -> int:
    return sum(max(0, offset) for offset in site.committed(role).values())


def test_nothing_of_a_patient_is_logged_counted_or_in_a_header(site: Site) -> None:
    site.settings = replace(site.settings, logging=Logging(level="debug"))
    desk = Desk(site)
    sent = [each for each in records() if not each.is_code][::EVERY]
    half = len(sent) // 2
    desk.send("instances", [(-1, None, each.value, list(each.headers)) for each in sent[:half]])
    desk.send("reports", [(-1, b"k", each.value, list(each.headers)) for each in sent[half:]])
    with desk.run() as running:
        until(lambda: running.said('"restored"'), "ready", running)
        for role, count in (("instances", half), ("reports", len(sent) - half)):
            until(lambda role=role, count=count: read(site, role) >= count, f"{role} read", running)
        port = next(json.loads(line)["port"] for line in running.lines() if '"serving"' in line)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            metrics = answer.read().decode()
        assert running.stop() == 0
    letters = site.read("dead_letters")
    assert letters
    told = [metrics, running.log.read_text("utf-8")]
    told += [desk.ask("dead-letters", "list"), desk.ask("dead-letters", "list", "--json")]
    told += [desk.ask("dead-letters", "show", f"{letters[0].partition}/{letters[0].offset}")]
    told += [repr(seen.headers) for role in ("fhir", "analytics", "dead_letters") for seen in site.read(role)]
    told += [repr(decode_fact(seen.value or b"")) for seen in site.read("analytics")]
    assert [text for text in told if MARK.lower() in text.lower()] == []
