"""State that an earlier version wrote: this one goes on from it as if it had always been there."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from processors.avro.envelope import decode_intake, encode_intake, encode_state
from processors.errors import Unavailable
from processors.pipeline.building import pipeline_of
from processors.pipeline.entries import LAYOUT_KEY, as_of_now
from processors.pipeline.memory import MemoryMember
from processors.pipeline.records import OutputRecord, OutputTopic, Record, StateEntry
from processors.settings import Settings
from processors.wire import messages
from processors.wire.state import FORMAT
from tests.builders.goldens import Message
from tests.builders.upgrade import FORMATS, INTAKE_FORMATS, after, before, forwarded, kept
from tests.integration.hospital import latest, undisturbed

DAY_MS = 1_767_348_000_000
MINUTE_MS = 60_000


def member() -> MemoryMember:
    settings = Settings()
    return MemoryMember(lambda: pipeline_of(settings, 1), 1, settings.topics.intake)


def records(messages: Iterable[Message], first: int = 0) -> list[Record]:
    numbered = enumerate(messages, first)
    return [Record(m.topic, 0, n, DAY_MS + n, m.key, m.value, m.headers) for n, m in numbered]


def first_half(of: MemoryMember) -> list[OutputRecord]:
    """As the states in `tests/golden/state` were made."""
    everything = records(before())
    half = len(everything) // 2
    outputs = of.feed(everything[:half], DAY_MS) + of.tick(DAY_MS + MINUTE_MS)
    return outputs + of.feed(everything[half:], DAY_MS + MINUTE_MS)


def second_half(of: MemoryMember) -> list[tuple[OutputTopic, bytes | None, bytes | None]]:
    now_ms = DAY_MS + 2 * MINUTE_MS
    outputs: list[OutputRecord] = of.feed(records(after(), len(before())), now_ms) + of.run_out(now_ms)
    return [(output.topic, output.key, output.value) for output in outputs]


@pytest.mark.parametrize("version", FORMATS)
def test_it_goes_on_where_the_earlier_version_stopped(version: int) -> None:
    ours, theirs = member(), member()
    first_half(ours)
    theirs.stores[0].put(as_of_now(entry) for entry in kept(version))
    theirs.stores[0].commit(0)
    theirs.restart()
    said = second_half(theirs)
    assert said == second_half(ours)
    assert {topic for topic, _, _ in said} == {OutputTopic.FHIR, OutputTopic.ANALYTICS}


def test_the_last_format_is_among_those_kept() -> None:
    assert max(FORMATS) == FORMAT - 1, "a new FORMAT comes with a state of the one before"


def test_what_is_of_today_or_gone_or_in_no_envelope_stays_as_it_is() -> None:
    entry = StateEntry(0, "1.2|s", encode_state("s", b"body", version=FORMAT), 7)
    gone = StateEntry(0, "1.2|s", None, None)
    assert as_of_now(entry) is entry
    assert as_of_now(gone) is gone
    layout = StateEntry(0, LAYOUT_KEY, b'{"intake_partitions": 3}')
    assert as_of_now(layout) is layout


@pytest.mark.parametrize("version", [min(FORMATS) - 1, FORMAT + 1])
def test_a_later_format_and_one_that_is_too_old_are_named(version: int) -> None:
    entry = StateEntry(0, "1.2|s", encode_state("s", b"body", version=version))
    with pytest.raises(
        Unavailable, match=rf"an entry of format {version}, and this version reads 3 to {FORMAT}"
    ):
        as_of_now(entry)


def through_the_intake(values: Iterable[tuple[bytes, bytes]]) -> tuple[MemoryMember, list[OutputRecord]]:
    of, topic = member(), Settings().topics.intake
    read = [Record(topic, 0, n, DAY_MS + n, *said, None) for n, said in enumerate(values)]
    return of, of.feed(read, DAY_MS + MINUTE_MS) + of.run_out(DAY_MS + MINUTE_MS)


@pytest.mark.parametrize("version", INTAKE_FORMATS)
def test_what_an_earlier_version_left_unread_in_the_intake_is_read(version: int) -> None:
    _, outputs = through_the_intake(forwarded(version))
    assert latest(outputs) == undisturbed(Settings(), [*before(), *after()])


def test_every_format_of_the_intake_but_todays_is_kept() -> None:
    assert [*INTAKE_FORMATS, messages.FORMAT] == list(messages.READABLE)


def test_what_a_later_version_forwarded_is_put_aside_whole() -> None:
    key, value = next(forwarded(INTAKE_FORMATS[0]))
    later = encode_intake(decode_intake(value)._replace(version=messages.FORMAT + 1))
    of, outputs = through_the_intake([(key, later)])
    assert [(output.topic, output.value) for output in outputs] == [(OutputTopic.DEAD_LETTERS, later)]
    assert of.dispositions == {("dead_lettered", "undecodable_record"): 1}
