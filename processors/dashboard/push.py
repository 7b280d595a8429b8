"""The push: what changed of the page, to every browser that looks at it.

Rules of this file: one task makes the pieces, for all; a browser that is slow misses steps in between,
never the last. While nobody looks nothing is made.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool

from processors.dashboard.feed import Feed
from processors.dashboard.fragments import fragments
from processors.wire.json_text import dump

STEP_S = 1.0
"""Between two pushes: as fast as a person can follow."""

SAID_S = 10.0
"""Between two sentences for those who listen."""

Parts = dict[str, str]


class Push:
    """Used from one event loop; `make` also from its threads."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._parts: Parts = {}
        self._said_at = 0.0
        self._made = asyncio.Event()
        self._closing = False
        self._watching = 0

    def make(self) -> Parts:
        """The pieces as of now; blocking for some ten milliseconds."""
        with self._feed.figures() as now:
            made = fragments(now, time.time_ns() // 1_000_000)
        return {name: str(text) for name, text in made.items()}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(STEP_S)
            if self._watching:
                parts = await run_in_threadpool(self.make)
                self._hold_the_sentence(parts)
                self._parts = parts
                self._tell()

    def close(self) -> None:
        """The streams end, so that the server can."""
        self._closing = True
        self._tell()

    async def stream(self) -> AsyncIterator[dict[str, str]]:
        """Events for one browser: at first all pieces, then those that changed."""
        sent: Parts = {}
        parts = await run_in_threadpool(self.make)
        self._watching += 1
        try:
            while not self._closing:
                changed = {name: text for name, text in parts.items() if sent.get(name) != text}
                if changed:
                    sent = parts
                    yield {"event": "board", "data": dump(changed).decode()}
                await self._made.wait()
                parts = self._parts
        finally:
            self._watching -= 1

    def _hold_the_sentence(self, parts: Parts) -> None:
        if time.monotonic() - self._said_at > SAID_S:
            self._said_at = time.monotonic()
        elif self._parts:
            parts["said"] = self._parts["said"]

    def _tell(self) -> None:
        """Wake those who wait now; those who come later wait for the next."""
        self._made.set()
        self._made = asyncio.Event()
