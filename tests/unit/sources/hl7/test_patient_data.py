"""Marked words in every field of a message: none is logged, and the server stands."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from processors import telemetry
from processors.errors import Unavailable
from processors.pipeline.records import Headers
from processors.settings import Settings
from processors.sources.hl7.messages import Messages
from processors.sources.hl7.server import Hl7Server
from processors.sources.ledger import Ledger

MARK = "ZQXMARK"
MERGE = [
    "MSH|^~\\&|RIS|HOSP|IMG|HOSP|20260102030405+0100||ADT^A40|M1|P|2.5.1",
    "PID|1||NEW^^^&2.999.8&ISO^MR||Doe^Jane||19700101|F",
    "MRG|OLD^^^&2.999.8&ISO^MR",
]
ORDER = [
    "MSH|^~\\&|RIS|HOSP|IMG|HOSP|20260102030405+0100||OMI^O23|M2|P|2.5.1",
    "PID|1||P1^^^&2.999.8&ISO^MR||Doe^Jane",
    "ORC|NW|1||||||||||",
    "OBR|1|1||24558-9^US^LN",
    "IPC|ACC1^HOSP^2.999.7^ISO|RP1|2.999.1|SPS1|US",
]


class Taker:
    """In the producer's place; `down`: nothing is taken."""

    def __init__(self) -> None:
        self.down = False

    def deliver(self, value: bytes, headers: Headers) -> None:
        if self.down:
            raise Unavailable("the broker did not take a record (_TRANSPORT)")


def marked(message: list[str]) -> Iterator[bytes]:
    """A field at a time, then a component, then torn messages."""
    for row, segment in enumerate(message):
        fields = segment.split("|")
        for column in range(len(fields)):
            for text in (MARK, f"{MARK}^{MARK}&{MARK}~{MARK}", f"\\X{MARK}\\"):
                changed = [*fields[:column], text, *fields[column + 1 :]]
                yield "\r".join([*message[:row], "|".join(changed), *message[row + 1 :]]).encode() + b"\r"
    whole = "\r".join(message).replace("Jane", MARK).encode()
    yield from (whole[:cut] for cut in range(1, len(whole), 7))
    yield MARK.encode()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a handler of the root would write: pytest's own hears loggers that are silenced, too."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("down", [False, True])
def test_no_field_of_a_message_is_logged(
    tmp_path: Path, log: io.StringIO, capfd: pytest.CaptureFixture[str], down: bool
) -> None:
    taker = Taker()
    telemetry.configure("json", "debug", log)
    taker.down = down
    ledger = Ledger(tmp_path, "test")
    server = Hl7Server(Settings().hl7, Messages(ledger, "", ZoneInfo("Europe/Zurich")), taker)

    async def talk() -> list[bytes | None]:
        return [await server._answer(each) for message in (MERGE, ORDER) for each in marked(message)]

    answers = asyncio.run(talk())
    ledger.close()
    assert len({answer is None for answer in answers}) == 2
    shown = capfd.readouterr()
    told = log.getvalue() + telemetry.exposition()[1].decode() + shown.out + shown.err
    assert "incomplete" in told
    assert MARK not in told
