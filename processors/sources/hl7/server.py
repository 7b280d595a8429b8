"""The MLLP listener: a message, its events to the broker, its acknowledgment; in this order.

Rules of this file: framing, character sets and acknowledgment codes (HL7 v2.5.1 2.9.2). One connection's
messages are dealt with one after the other, as they were sent.
"""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import hl7
import hl7.util
from hl7.mllp import InvalidBlockError, start_hl7_server

from processors import telemetry
from processors.errors import Unavailable
from processors.settings.neighbours import Hl7
from processors.sources.forwarding import Publisher
from processors.sources.hl7.messages import Incomplete, Messages

KIND = "hl7"
MESSAGE_BYTES = 16 * 1024 * 1024
ACCEPT, ERROR, REJECT = "AA", "AE", "AR"
"""After an error the sender sends again, after a rejection it does not (table 0008)."""
CHARACTER_SETS = {
    "": "utf-8",
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "UNICODE": "utf-8",
    **{f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 12), *range(13, 17))},
}
"""MSH-18 (table 0211) to Python's codecs."""

for _module in (hl7.containers, hl7.util):
    telemetry.silence(_module.logger)  # named after its file, and it quotes fields


class Hl7Server:
    def __init__(self, settings: Hl7, messages: Messages, producer: Publisher) -> None:
        self._settings, self._messages, self._producer = settings, messages, producer

    def run(self, stop: threading.Event) -> None:
        """Until `stop`. Raises Unavailable if the address cannot be bound."""
        asyncio.run(self._serve(stop))

    async def _serve(self, stop: threading.Event) -> None:
        own = self._settings
        try:
            server = await start_hl7_server(self._converse, own.host, own.port, limit=MESSAGE_BYTES)
        except OSError as error:
            raise Unavailable(
                f"{own.host}:{own.port} cannot be bound ({error.strerror}): set hl7.port"
            ) from error
        async with server:
            port = server.sockets[0].getsockname()[1]
            telemetry.source_started(KIND, f"{own.host}:{port}")
            await asyncio.to_thread(stop.wait)

    async def _converse(self, reader: Any, writer: Any) -> None:
        try:
            while True:
                answer = await self._answer(await reader.readblock())
                if answer is None:
                    break
                writer.writeblock(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the sender hung up
        except InvalidBlockError:
            telemetry.source_left_out(KIND, "not_mllp")
        except ValueError:  # beyond MESSAGE_BYTES
            telemetry.source_left_out(KIND, "too_large")
        finally:
            writer.close()

    async def _answer(self, block: bytes) -> bytes | None:
        """The acknowledgment; None for what is no message, which cannot be acknowledged."""
        charset = charset_of(block)
        try:
            message = hl7.parse(block.decode(charset, "replace"))
            code = await self._handled(message)
            return str(message.create_ack(code)).encode(charset, "replace")
        except (hl7.HL7Exception, KeyError, IndexError, TypeError, ValueError):
            # TypeError: the library expects components where MSH has none
            telemetry.source_left_out(KIND, "no_message")
            return None

    async def _handled(self, message: hl7.Message) -> str:
        try:
            events = self._messages.events_of(message, datetime.now(UTC))
        except Incomplete as missing:
            telemetry.source_left_out(KIND, "incomplete", field=str(missing))
            return REJECT
        try:
            for each in events:
                await asyncio.to_thread(self._producer.deliver, each.value, each.headers)
        except Unavailable as failed:
            telemetry.broker_unreachable(str(failed))
            return ERROR
        telemetry.source_sent(KIND, len(events))
        return ACCEPT


def charset_of(block: bytes) -> str:
    """By MSH-18, whose own letters are ASCII in every character set that is understood here."""
    head = block.split(b"\r", 1)[0].decode("latin-1")
    fields = head.split(head[3:4] or "|")
    said = fields[17].split("~")[0] if len(fields) > 17 else ""
    return CHARACTER_SETS.get(said.strip().upper(), "latin-1")
