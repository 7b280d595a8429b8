"""Claim checks: the object stays at the sender's, the event says where (CONTRACT 3, `uri`).

Rules of this file: only regular files below the site's own folder are read, whatever the uri says, and
`http(s):` is `web_documents`' to fetch; nothing is written, no other scheme is fetched.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from processors.errors import DeadLetterCode, Refused
from processors.pipeline.web_documents import WebDocuments


class ClaimChecks:
    """What a site lets be fetched: files below `root`, documents of the hosts `web` knows. One thread's."""

    def __init__(self, root: Path | None = None, web: WebDocuments | None = None) -> None:
        self._root = root
        self._web = web or WebDocuments()

    def fetch(self, uri: str, max_bytes: int) -> bytes:
        """Blocking. Raises Refused: document_refused, document_unavailable, too_large."""
        if uri[:5].lower() in ("http:", "https"):
            return self._web.fetch(uri, max_bytes)
        return read_file(uri, self._root, max_bytes)


def read_file(uri: str, root: Path | None, max_bytes: int) -> bytes:
    """The bytes of a `file:` uri (RFC 8089) below `root`; symbolic links are followed first. Blocking.

    Raises Refused: document_refused (another scheme, outside of `root`, or no `root`), document_unavailable,
    too_large.
    """
    path = _path(uri)
    if root is None:
        _refuse("documents.root is not set, so no file is fetched")
    try:
        below = root.resolve(strict=True)
        path = path.resolve()
    except (OSError, RuntimeError, ValueError):  # RuntimeError: links in a circle
        _unavailable()
    if not path.is_relative_to(below):
        _refuse("the file is not below documents.root")
    try:
        # non-blocking: opening a pipe must not hold up the loop
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                _unavailable()
            data = file.read(max_bytes + 1)
    except (OSError, ValueError):
        _unavailable()
    if len(data) > max_bytes:
        raise Refused(DeadLetterCode.TOO_LARGE, f"a document has at most {max_bytes} bytes", "uri")
    return data


def _path(uri: str) -> Path:
    try:
        parts = urlsplit(uri)
    except ValueError:
        _refuse("not a uri")
    if parts.scheme != "file":
        _refuse("file:, http: and https: are fetched, nothing else")
    path = unquote(parts.path, errors="surrogateescape")
    plain = not parts.query and not parts.fragment and parts.netloc in ("", "localhost")
    if not plain or not path.startswith("/") or "\0" in path:
        _refuse("a file: uri is an absolute path on this host")
    return Path(path)


def _refuse(rule: str) -> NoReturn:
    raise Refused(DeadLetterCode.DOCUMENT_REFUSED, rule, "uri")


def _unavailable() -> NoReturn:
    raise Refused(
        DeadLetterCode.DOCUMENT_UNAVAILABLE, "the file is not there or cannot be read", "uri"
    ) from None
