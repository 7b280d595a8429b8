"""Multipart bodies of DICOMweb (PS3.18 8.6.1.2; RFC 2046 5.1.1): the parts as bytes.

Rules of this file: splitting only, binary-safe. The standard library's mail parser takes lines apart, which
objects do not have.
"""

from __future__ import annotations

from email.message import Message


def media_type(content_type: str) -> str:
    """Without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def parts_of(body: bytes, content_type: str) -> list[bytes]:
    """Contents of the parts in order; a body that is not multipart is its own only part.

    A part without an end is left out: the connection was cut within it.
    """
    if not media_type(content_type).startswith("multipart/"):
        return [body]
    message = Message()
    message["content-type"] = content_type
    boundary = message.get_boundary("")
    if not boundary:
        return []
    found = []
    *whole, _ = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1", "replace"))
    for part in whole[1:]:
        _, separator, content = part.partition(b"\r\n\r\n")
        if separator:
            found.append(content)
    return found
