"""The effective settings as TOML, for `--print-config`.

Rules of this file: what it prints can be read back by `reading`, except secrets, which are masked.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
import tomli_w

from processors.settings.sections import Settings

MASK = "********"
_SECRET_KEY = re.compile(
    r"(?!.*_file$)"  # a path; what is there is not printed
    r".*(password|passphrase|secret|token|credential|user[._]info|oauthbearer\.config|\.jaas\.|\.key$|\.pem$)"
)
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def printable(settings: Settings) -> str:
    """TOML text of every effective setting; defaults included, secrets masked."""
    return tomli_w.dumps(_masked(msgspec.to_builtins(settings)))


def as_toml(tables: dict[str, Any]) -> str:
    """Some settings as they stand in a file."""
    return tomli_w.dumps(tables)


def _masked(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _masked(each, name) for name, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_masked(each, key) for each in value]
    if _SECRET_KEY.match(key):
        return MASK if value else value
    return _USER_INFO.sub(MASK, value) if isinstance(value, str) else value
