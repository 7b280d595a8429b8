"""What libraries log and how a crash ends, told without the words: they may quote what was read.

Rules of this file: the standard library only; names of libraries, places in code and kinds of exceptions
pass, texts do not.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TextIO

OUTSPOKEN = frozenset({"librdkafka"})
"""Loggers whose texts pass: brokers, sockets and groups, never records."""

Say = Callable[[str, str, str, str], None]
"""Library, place in its code, kind of exception or empty, text or empty."""


class _Libraries(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.say: Say = lambda *_: None

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        text = record.getMessage() if record.name in OUTSPOKEN else ""
        self.say(record.name, f"{record.module}:{record.lineno}", kind, text)

    def warned(
        self,
        message: Warning | str,  # noqa: ARG002 (the very words)
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,  # noqa: ARG002 (the caller's, as `line`)
        line: str | None = None,  # noqa: ARG002
    ) -> None:
        self.say("warnings", f"{Path(filename).stem}:{lineno}", category.__name__, "")


_libraries = _Libraries()


def libraries(say: Say) -> None:
    """From now on whatever libraries warn of in this process goes to `say`; what they inform of, nowhere."""
    _libraries.say = say
    logging.getLogger().addHandler(_libraries)
    warnings.showwarning = _libraries.warned


@contextmanager
def crashes() -> Iterator[None]:
    """A mistake of ours, in whichever thread, shows where it is, and its message stays unsaid; here it ends
    the process with exit code 1.
    """
    before = threading.excepthook
    threading.excepthook = lambda args: _crashed(args.exc_type, args.exc_traceback)
    try:
        yield
    except Exception as mistake:  # noqa: BLE001 (it ends here, whatever it is)
        _crashed(type(mistake), mistake.__traceback__)
        sys.exit(1)
    finally:
        threading.excepthook = before


def _crashed(kind: type[BaseException], trace: TracebackType | None) -> None:
    frames = "".join(traceback.format_tb(trace))
    sys.stderr.write(f"{frames}{kind.__name__}: what it said may be patient data, and is not shown\n")
