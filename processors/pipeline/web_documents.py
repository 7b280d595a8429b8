"""Claim checks over HTTP: a document of an archive, by DICOMweb or plainly (CONTRACT 3, `uri`).

Rules of this file: from `http_client`'s outcomes to codes; an object comes alone or as the one part of a
multipart answer (PS3.18 10.4). A host that does not answer is left alone for a while, so that a thousand
documents of an archive that is down do not cost a thousand waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from processors.errors import DeadLetterCode, Refused
from processors.http_client import BodyTooLarge, HttpClient, NotAllowed, NotFetched
from processors.multipart import parts_of

ACCEPT = 'multipart/related; type="application/dicom", application/dicom;q=0.9, */*;q=0.1'
"""Retrieve Instance (PS3.18 10.4.1); a plain web server gives its file, whatever it calls it."""
REST_S = 10.0
"""How long a host that did not answer is not asked again."""


class WebDocuments:
    """Used by one thread. Without `hosts` everything is refused."""

    def __init__(
        self,
        hosts: Collection[str] = (),
        timeout_s: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = HttpClient(hosts, timeout_s)
        self._monotonic = monotonic
        self._resting: dict[str, float] = {}
        """Host and port → when it may be asked again."""

    def fetch(self, uri: str, max_bytes: int) -> bytes:
        """Blocks for about `timeout_s`. Raises Refused: document_refused, document_unavailable, too_large."""
        place = _place_of(uri)
        if self._resting.get(place, 0.0) > self._monotonic():
            raise _unavailable("the server did not answer a moment ago")
        try:
            answer = self._client.get(uri, max_bytes, ACCEPT)
        except NotAllowed as rule:
            raise Refused(DeadLetterCode.DOCUMENT_REFUSED, str(rule), "uri") from None
        except BodyTooLarge:
            message = f"a document has at most {max_bytes} bytes"
            raise Refused(DeadLetterCode.TOO_LARGE, message, "uri") from None
        except NotFetched as failed:
            if failed.passing:
                self._resting[place] = self._monotonic() + REST_S
            raise _unavailable(str(failed)) from None
        parts = parts_of(answer.body, answer.content_type)
        if len(parts) != 1 or not parts[0]:
            raise _unavailable("the answer is not one object")
        return parts[0]


def _place_of(uri: str) -> str:
    try:
        return urlsplit(uri).netloc
    except ValueError:
        return ""  # refused further on


def _unavailable(why: str) -> Refused:
    return Refused(DeadLetterCode.DOCUMENT_UNAVAILABLE, why, "uri")
