"""Telemetry: what is counted, under which names, and what never shows."""

import io
import json
import logging
import re
import subprocess
import sys
import warnings

import pytest

from processors import telemetry


def value(name: str, **labels: str) -> float:
    return telemetry.REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_committed_step_is_counted_by_disposition_and_event() -> None:
    ends = {"applied": "", "duplicate": "", "dead_lettered": "missing_uid"}
    before = {e: value("imaging_reference_records_total", disposition=e, reason=r) for e, r in ends.items()}
    published = {"change": "published", "kind": "series", "modality": "CT", "rule": "quiet"}
    odd = {"change": "revised", "kind": "series", "modality": "other", "rule": "counted"}
    names = ["imaging_reference_references_total", "imaging_reference_warnings_total"]
    counts = value(names[0], **published), value(names[0], **odd), value(names[1], code="tz_absent")
    purged = value("imaging_reference_purged_studies_total")
    letters = value("imaging_reference_dead_letters_total", code="missing_uid")

    telemetry.step_committed(
        {("applied", ""): 5, ("duplicate", ""): 2, ("dead_lettered", "missing_uid"): 1},
        {
            ("published", "series", "CT", "quiet"): 3,
            ("revised", "series", "DOE^JANE", "counted"): 1,
            ("warning", "tz_absent"): 4,
            ("parked_expired", "series_unknown"): 1,
            ("unpublished", "too_large"): 1,
            ("merge_ignored",): 1,
            ("purged",): 2,
            ("frozen",): 1,
        },
    )

    grown = {
        e: value("imaging_reference_records_total", disposition=e, reason=r) - before[e]
        for e, r in ends.items()
    }
    assert grown == {"applied": 5, "duplicate": 2, "dead_lettered": 1}
    assert value(names[0], **published) - counts[0] == 3
    assert value(names[0], **odd) - counts[1] == 1
    assert value(names[1], code="tz_absent") - counts[2] == 4
    assert value("imaging_reference_dead_letters_total", code="missing_uid") - letters == 1
    assert value("imaging_reference_purged_studies_total") - purged == 2
    assert "DOE" not in telemetry.exposition()[1].decode()


def test_an_event_without_a_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="no metric for the event invented"):
        telemetry.step_committed({}, {("invented", "x", "y"): 1})


def test_metric_names_carry_prefix_and_unit() -> None:
    units = re.compile(
        r"imaging_reference_\w*(seconds|records|references|warnings|dead_letters|expired|transactions|merges|requests|left_out|commitments|assigned|studies)$"
    )
    ours = [m.name for m in telemetry.REGISTRY.collect() if not m.name.startswith(("process_", "python_"))]
    assert len(ours) >= 10
    assert [name for name in ours if not units.fullmatch(name)] == []


def test_json_log_lines_carry_event_level_and_time() -> None:
    stream = io.StringIO()
    telemetry.configure("json", "info", stream)
    telemetry.dead_lettered("missing_uid", "(0020,000D)", "no Study Instance UID", "dicom-instances", 3, 17)
    telemetry.transaction_committed(10, 0.01)  # debug: not shown
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "event": "dead_lettered",
        "level": "warning",
        "code": "missing_uid",
        "tag": "(0020,000D)",
        "message": "no Study Instance UID",
        "topic": "dicom-instances",
        "partition": 3,
        "offset": 17,
    }


@pytest.mark.parametrize(("style", "looks"), [("auto", "{"), ("json", "{"), ("console", "2")])
def test_style_of_the_log(style: str, looks: str) -> None:
    stream = io.StringIO()
    telemetry.configure(style, "debug", stream)  # type: ignore[arg-type]
    telemetry.failed("fenced")
    assert stream.getvalue().startswith(looks)


def test_input_that_retention_took_is_counted_and_told() -> None:
    stream = io.StringIO()
    telemetry.configure("json", "info", stream)
    name, where = "imaging_reference_lost_records_total", {"topic": "dicom-instances", "partition": "5"}
    before = value(name, **where)
    telemetry.input_lost("dicom-instances", 5, committed=3, first=5)
    telemetry.input_lost("dicom-instances", 5, committed=9, first=0)  # made anew: nobody knows how many
    assert value(name, **where) - before == 2
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["input_lost"] * 2


def test_the_gauges_of_a_partition_go_with_it() -> None:
    telemetry.partitions_assigned([4, 7])
    telemetry.lag_read({("dicom-instances", 7): 15, ("dicom-instances", 4): 0})
    telemetry.restore_progressed(7, 10, 30)
    assert value("imaging_reference_restore_remaining_records", partition="7") == 20
    telemetry.restored(7, 0.1)
    assert value("imaging_reference_restore_remaining_records", partition="7") == 0
    assert value("imaging_reference_lag_records", topic="dicom-instances", partition="7") == 15
    telemetry.partitions_lost([7])
    telemetry.lag_read({("dicom-instances", 4): 0})
    assert value("imaging_reference_partitions_assigned") == 1
    assert b'partition="7"' not in telemetry.exposition()[1]


def test_what_a_library_warns_of_is_told_without_its_words() -> None:
    log = io.StringIO()
    telemetry.configure("json", "debug", log)
    logging.getLogger("pydicom").warning("Invalid value: DOE^JANE")
    logging.getLogger("urllib3").warning("Failed to parse headers (url=/DOE^JANE)")
    logging.getLogger("websockets.client").warning("Failed to parse headers (url=/DOE^JANE)")
    try:
        raise ValueError("DOE^JANE")
    except ValueError:
        logging.getLogger("asyncio").exception("in a task: %s", "DOE^JANE")
    logging.getLogger("librdkafka").error("broker:9092: refused")
    with warnings.catch_warnings():
        telemetry.configure("json", "debug", log)
        warnings.simplefilter("always")
        warnings.warn("DOE^JANE", UserWarning, stacklevel=1)
    told = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(each["library"], each["error"], each["text"]) for each in told] == [
        ("websockets.client", "", ""),
        ("asyncio", "ValueError", ""),
        ("librdkafka", "", "broker:9092: refused"),
        ("warnings", "UserWarning", ""),
    ]
    assert all(re.fullmatch(r"test_telemetry:\d+", each["place"]) for each in told)
    assert "DOE" not in log.getvalue()


_CRASH = """
import threading
from processors import hush
def raise_(): raise KeyError("DOE" + "^JANE")
with hush.crashes():
    """


@pytest.mark.parametrize("where", ["raise_()", "t = threading.Thread(target=raise_); t.start(); t.join()"])
def test_a_crash_shows_where_and_not_what(where: str) -> None:
    script = _CRASH.rstrip(" ") + f"    {where}\n"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "in raise_" in ended.stderr
    assert "KeyError: what it said may be patient data" in ended.stderr
    assert "DOE^JANE" not in ended.stderr
