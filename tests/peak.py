"""The most memory that a process has had resident.

Rules of this file: the system's own word for it (Linux, proc(5)).
"""

from __future__ import annotations

from pathlib import Path


def peak_kib(pid: int | str = "self") -> int:
    """Of this very program; `getrusage` counts what its parent held when it was forked, too."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0])
