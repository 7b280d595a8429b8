"""What an operator asks and mends, on a real broker beside the running program."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from processors.errors import Unavailable
from processors.settings import load
from processors.stream.client import group_of
from processors.stream.portions import Outgoing
from processors.stream.redrive import Marks, Redrive
from tests.integration.desk import STUDY, Desk, Sent, image
from tests.integration.site import Program, Site, until


@pytest.fixture
def desk(site: Site) -> Desk:
    return Desk(site)


def bad(number: int, event: str = "no.such") -> bytes:
    return image(1, number, event=event)


def test_dead_letters_are_put_back_once_as_they_were(desk: Desk) -> None:
    traced = [("traceparent", b"00-1"), ("__streams.errors.exception", b"of another program"), ("own", b"")]
    unknown: list[Sent] = [(2, b"k", bad(number), traced) for number in range(1, 4)]
    broken: list[Sent] = [(2, b"k", b"{%d" % number, []) for number in range(3)]
    mixed = [each for pair in zip(unknown, broken, strict=True) for each in pair]
    desk.send("instances", mixed)
    with desk.run() as running:
        until(lambda: len(desk.site.read("dead_letters")) == 6, "put aside", running)
        running.stop()

    letters = desk.lines("dead-letters", "list")
    assert [each["code"] for each in letters] == ["unknown_event", "undecodable_record"] * 3
    assert {(each["topic"], each["from_partition"]) for each in letters} == {
        (desk.site.topic("instances"), 2)
    }
    shown = desk.ask("dead-letters", "show", letters[0]["id"], "--value", str(desk.site.folder / "value"))
    assert "traceparent, __streams.errors.exception, own" in shown
    assert "SECRET" not in shown + desk.ask("dead-letters", "list")
    assert (desk.site.folder / "value").read_bytes() == unknown[0][2]
    assert "no dead letter" in desk.ask("dead-letters", "show", "0/99", exit_code=3)

    told = desk.ask("dead-letters", "redrive", "--code", "unknown_event", "--dry-run")
    assert told.count("would be put back") == 4
    assert desk.read("instances") == mixed

    assert "3 records put back" in desk.ask("dead-letters", "redrive", "--code", "unknown_event")
    assert desk.read("instances") == mixed + unknown
    assert "0 records put back" in desk.ask("dead-letters", "redrive", "--code", "unknown_event")
    assert "3 records put back" in desk.ask("dead-letters", "redrive")
    assert desk.read("instances") == mixed + unknown + broken
    assert all(each["put_back"] for each in desk.lines("dead-letters", "list"))

    with desk.run() as running:
        until(lambda: len(desk.site.read("dead_letters")) == 12, "put aside again", running)
        running.stop()
    assert [each["put_back"] for each in desk.lines("dead-letters", "list")] == [True] * 6 + [False] * 6


def test_of_two_redrives_at_a_time_one_puts_back_nothing(desk: Desk) -> None:
    kafka, group, topic = (
        desk.settings.kafka,
        group_of(desk.settings.kafka),
        desk.settings.topics.dead_letters,
    )
    record = Outgoing(desk.settings.topics.instances, 1, b"k", b"v", [])
    marks = Marks(kafka, group, topic, 3)
    first = Redrive(kafka, group, topic, marks)
    second = Redrive(kafka, group, topic, marks)
    with pytest.raises(Unavailable, match="only one at a time"):
        first.put_back([record], {("bad_vr", 0): 5})
    assert (desk.site.read("instances"), marks.of("bad_vr")) == ([], {0: 0, 1: 0, 2: 0})
    second.put_back([record], {("bad_vr", 0): 5})
    desk.site.settled("instances")
    assert [seen.value for seen in desk.site.read("instances")] == [b"v"]
    assert (marks.of("bad_vr"), marks.of("not_dicom")) == ({0: 5, 1: 0, 2: 0}, {0: 0, 1: 0, 2: 0})
    marks.close()


def test_letters_that_hold_no_record_stay_where_they_are(desk: Desk) -> None:
    def letter(code: str, stage: str, topic: str) -> Sent:
        said = {"__streams.errors.exception": "Refused", "__streams.errors.topic": topic}
        said |= {
            "__imaging.errors.code": code,
            "__imaging.errors.stage": stage,
            "__streams.errors.partition": "0",
        }
        return (0, None, b"{}", [(name, value.encode()) for name, value in said.items()])

    inputs = desk.site.topic("instances")
    desk.send("dead_letters", [letter("too_large", "publish", ""), letter("series_unknown", "wait", inputs)])
    desk.send("dead_letters", [letter("bad_vr", "decode", "somewhere-else"), (0, None, b"x", [])])
    told = desk.ask("dead-letters", "redrive")
    assert "0 records put back" in told
    assert "2 left where they are: tells of a reference" in told
    assert "1 left where they are: its topic is none" in told
    assert "1 left where they are: has not the headers" in told
    assert desk.site.read("instances") == []


def test_where_a_reference_came_from(desk: Desk) -> None:
    site = desk.site

    def latest() -> dict[str, Any]:
        """Of the series 1: the one that is not slow."""
        found: list[dict[str, Any]] = [json.loads(seen.value or b"") for seen in site.read("fhir")]
        return found[-1] if found else {"instance": []}

    with desk.run() as running:
        site.send("instances", [(STUDY.encode(), image(1, 1)), (b"other", image(1, 2))])
        site.send("instances", [(STUDY.encode(), image(2, 1, source="SLOW"))])
        until(lambda: len(latest()["instance"]) == 2, "closed", running)
        site.send("instances", [(STUDY.encode(), image(1, 3)), (STUDY.encode(), image(1, 1))])
        until(lambda: len(latest()["instance"]) == 3, "amended", running)
        reference_id, revision = latest()["id"], int(latest()["meta"]["versionId"])
        _known_to_the_program(desk, running, reference_id, revision)
        assert running.stop() == 0

    site.settled()
    told = json.loads(desk.ask("explain", reference_id, "--records", "--json"))
    assert [each["change"] for each in told["revisions"]] == ["published"] + ["revised"] * (revision - 1)
    assert {each["closed_by"] for each in told["revisions"]} == {"quiet"}
    values = {(seen.partition, seen.offset): seen.value for seen in site.read("instances")}
    named = [values[each["partition"], each["offset"]] for each in told["records"]]
    assert sorted(filter(None, named)) == sorted([image(1, 1), image(1, 1), image(1, 2), image(1, 3)])

    said = desk.ask("explain", reference_id, "--study", STUDY)
    assert "quiet: no new image came" in said
    assert re.search(rf"{site.topic('instances')} +partition \d +offsets \d+-\d+", said)
    assert "no reference has the id" in desk.ask(
        "explain", "00000000-0000-5000-8000-000000000000", exit_code=3
    )

    (line,) = desk.lines("early-closes")
    assert (line["source"], line["modality"], line["series"], line["amended"]) == ("CT1", "CT", 1, 1)
    assert line["suggested_quiet_s"] > line["quiet_s"] == 1.0
    overrides = site.folder / "overrides.toml"
    overrides.write_text(desk.ask("early-closes", "--toml"), "utf-8")
    policy = load(Path(overrides), {}).policy()
    assert policy.completeness_for("CT1", "CT").quiet_ms == line["suggested_quiet_s"] * 1000


def _known_to_the_program(desk: Desk, running: Program, reference_id: str, revision: int) -> None:
    """By its own state, which follows a moment after the topic."""

    def reference() -> dict[str, Any]:
        found: dict[str, Any] = desk.get(running, f"/references/{reference_id}")[1].get("references", [{}])[0]
        return found

    until(lambda: reference().get("revision") == revision, "it knows the revision", running, found=reference)
    assert reference()["series"]["instances"] == 3
    status, known = desk.get(running, f"/series/{STUDY}.2")
    (series,) = known["series"]
    assert (status, series["waiting"]["for"], series["instances"]) == (200, "quiet", 1)
    assert series["reference"] is None
    assert desk.get(running, f"/series/{STUDY}.1")[1]["series"][0]["waiting"] is None
    assert "SECRET" not in json.dumps([reference(), known])
    for unknown in (f"/series/{STUDY}.9", "/series/*", f"/references/{reference_id[:-1]}*"):
        assert desk.get(running, unknown)[0] == 404
