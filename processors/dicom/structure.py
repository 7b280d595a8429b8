"""The shape of a data set, walked before it is parsed: how deep, how far, and where its bytes are wrong.

Rules of this file: headers and lengths only, no values. pydicom detects none of this: it reads a cut header
as if it were whole, takes a junk VR for a length that swallows the rest, and follows nesting into
RecursionError. The walk is iterative, visits each header once, and copies nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from processors.dicom.element_headers import (
    ITEM,
    ITEM_END,
    PIXEL_DATA,
    SEQUENCE_END,
    UNDEFINED,
    ElementHeader,
    Encoding,
    header_at,
    junk_header_at,
    vr_of,
)
from processors.dicom.reading import ReadingPolicy
from processors.errors import DeadLetterCode, Refused, WarningCode

_LITTLE_ITEMS = (b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0")
_BIG_ITEMS = (b"\xff\xfe\xe0\x00", b"\xff\xfe\xe0\xdd")


_UNCOUNTED = 4096
"""How far an icon may run past the length around it, in bytes: 8 a fragment are known to be left out. Without
a bound, nested icons could make the walk quadratic."""


@dataclass(slots=True)
class Shape:
    """What may be parsed: bytes up to `end`, with `patches` (position → bytes, same length) applied."""

    end: int = 0
    patches: dict[int, bytes] = field(default_factory=dict)
    warnings: list[WarningCode] = field(default_factory=list)

    def warn(self, code: WarningCode) -> None:
        if code not in self.warnings:
            self.warnings.append(code)


@dataclass(slots=True)
class _Container:
    """A sequence, or a set of elements: an item, or the data set itself."""

    is_sequence: bool
    end: int
    """Where it must have ended: its own length's, else that of the container around it."""
    encoding: Encoding
    length_at: int = -1
    """Position of its 4 byte length; -1 if undefined or the data set itself."""
    value_at: int = 0
    seal_at: int = -1
    """Position of an undefined length, to be made a defined one once the end is known; else -1."""


class _Malformed(Exception):
    """The bytes of this place fit no element; a signal between the functions of this file."""


def shape_of(data: bytes, start: int, encoding: Encoding, policy: ReadingPolicy) -> Shape:
    """Walk the data set that begins at `start` up to pixel data, its end, or the place where it breaks.

    A nested break costs its sequence (`dataset_incomplete`); a break at the top costs what follows.
    Raises Refused: `nesting_too_deep` and `time_budget_exceeded` beyond the policy's numbers,
    `truncated_header` if the bytes end within an element before pixel data.
    """
    return _Walk(data, start, encoding, policy).run()


class _Walk:
    def __init__(self, data: bytes, start: int, encoding: Encoding, policy: ReadingPolicy) -> None:
        self.data = data
        self.at = start
        self.top_at = start
        self.top_tag = 0
        self.max_depth = policy.max_depth
        self.steps_left = policy.max_elements
        self.stack = [_Container(False, len(data), encoding, value_at=start)]
        self.shape = Shape(len(data))
        self.padding_at = -1

    def run(self) -> Shape:
        while self.stack:
            inner = self.stack[-1]
            self.steps_left -= 1
            if self.steps_left < 0:
                raise Refused(
                    DeadLetterCode.TIME_BUDGET_EXCEEDED,
                    "the header has more elements than this site reads",
                    tag_text_of(self.top_tag),
                )
            try:
                if self.at >= inner.end:
                    self._close(inner)
                elif inner.is_sequence:
                    self._item(inner)
                elif self._element(inner):
                    break
            except _Malformed:
                if self._give_up():
                    break
        return self.shape

    def _close(self, inner: _Container) -> None:
        """The innermost container is used up. One of undefined length wants a delimiter first."""
        if inner.length_at < 0 and len(self.stack) > 1:
            self._cut_or_malformed(inner)
        if self.at > inner.end:
            raise _Malformed
        self.stack.pop()

    def _item(self, sequence: _Container) -> None:
        header = self._header(sequence)
        if header.tag == SEQUENCE_END and sequence.length_at < 0:
            self.at = header.value_at
            self.stack.pop()
            if sequence.seal_at >= 0:
                order = "<" if self.stack[-1].encoding.little else ">"
                self.shape.patches[sequence.seal_at] = struct.pack(f"{order}I", self.at - sequence.value_at)
        elif header.tag == ITEM:
            self._enter(header, sequence, is_sequence=False, encoding=self._inside(header, sequence))
        else:
            raise _Malformed

    def _element(self, inner: _Container) -> bool:
        """One element; True when the walk is over."""
        top = len(self.stack) == 1
        if top:
            self.top_at = self.at
            if self.data[self.at] == 0 and self._is_padding():
                self.shape.warn(WarningCode.NONCONFORMANT_PART10)
                self.shape.end = self.at
                return True
        header = self._header(inner)
        if top:
            self.top_tag = header.tag
            if header.tag in PIXEL_DATA:
                self._pixel_data(header)
                return True
        if header.tag >> 16 == 0xFFFE:
            self._end_item(header, inner)
        elif _is_sequence(header) and self._holds_items(header, inner):
            depth = sum(container.is_sequence for container in self.stack) + 1
            if depth > self.max_depth:
                raise Refused(
                    DeadLetterCode.NESTING_TOO_DEEP,
                    f"sequences are nested more than {self.max_depth} levels deep",
                    tag_text_of(self.top_tag),
                )
            self._enter(header, inner, is_sequence=True, encoding=self._contents(header, inner))
        elif header.length == UNDEFINED:
            self._fragments(header, inner)
        else:
            self._pass(header.value_at + header.length, inner)
        return False

    def _header(self, inner: _Container) -> ElementHeader:
        """The header here; one with a junk VR is patched if what it means can be told."""
        try:
            header = header_at(self.data, self.at, inner.encoding)
        except struct.error:
            self._cut_or_malformed()
        else:
            if header is None:
                header = self._mended(inner)
            if header.value_at <= inner.end:
                return header
            self._cut_or_malformed(inner)
        raise _Malformed

    def _mended(self, inner: _Container) -> ElementHeader:
        self.shape.warn(WarningCode.BAD_VR)
        mended = junk_header_at(self.data, self.at, inner.end, inner.encoding)
        if mended is None:
            raise _Malformed
        header, vr = mended
        if vr:
            self.shape.patches[self.at + 4] = vr
        return header

    def _enter(
        self, header: ElementHeader, outer: _Container, *, is_sequence: bool, encoding: Encoding
    ) -> None:
        self.at = header.value_at
        if header.length == UNDEFINED:
            # a defined length makes pydicom leave the value unparsed until asked for; and it looks for the
            # end of a little endian UN sequence in big endian, and never finds it
            sealed = is_sequence and (len(self.stack) == 1 or encoding.little != outer.encoding.little)
            seal_at = header.value_at - 4 if sealed else -1
            inner = _Container(is_sequence, outer.end, encoding, value_at=header.value_at, seal_at=seal_at)
            self.stack.append(inner)
            return
        end = header.value_at + header.length
        if end > outer.end:
            self._cut_or_malformed(outer)
        self.stack.append(_Container(is_sequence, end, encoding, header.value_at - 4, header.value_at))

    def _end_item(self, header: ElementHeader, inner: _Container) -> None:
        if header.tag != ITEM_END or len(self.stack) == 1:
            raise _Malformed
        self.at = header.value_at if inner.length_at < 0 else inner.end
        self.stack.pop()

    def _pass(self, after: int, inner: _Container) -> None:
        if after > inner.end:
            self._cut_or_malformed(inner)
        self.at = after

    def _cut_or_malformed(self, inner: _Container | None = None) -> None:
        """Past the end of the bytes themselves the object is cut; past a container's, lengths disagree."""
        if inner is None or inner.end == len(self.data):
            raise Refused(
                DeadLetterCode.TRUNCATED_HEADER,
                "the bytes end within an element before pixel data",
                tag_text_of(self.top_tag),
            )
        raise _Malformed

    def _fragments(self, header: ElementHeader, inner: _Container) -> None:
        """Encapsulated data in a header, an icon's as a rule. Its own delimiter is surer than a length around
        it that was counted without the encapsulation: such lengths are mended.
        """
        limit = min(len(self.data), inner.end + _UNCOUNTED)
        after = fragments_end(self.data, header.value_at, limit, inner.encoding)
        if after < 0:
            self._cut_or_malformed(inner)
        for outer in self.stack[1:]:
            if outer.end < after:
                if outer.length_at >= 0:
                    order = "<" if inner.encoding.little else ">"
                    self.shape.patches[outer.length_at] = struct.pack(f"{order}I", after - outer.value_at)
                outer.end = after
                self.shape.warn(WarningCode.DATASET_INCOMPLETE)
        self.at = after

    def _pixel_data(self, header: ElementHeader) -> None:
        self.shape.end = self.top_at
        after = header.value_at + header.length
        if header.length == UNDEFINED:
            after = fragments_end(self.data, header.value_at, len(self.data), self.stack[0].encoding)
        if after < 0 or after > len(self.data):
            self.shape.warn(WarningCode.TRUNCATED_PIXEL_DATA)

    def _give_up(self) -> bool:
        """Go on after the innermost sequence of defined length, which pydicom leaves unparsed until asked
        for; without one, end before the top level element that broke (True).
        """
        self.shape.warn(WarningCode.DATASET_INCOMPLETE)
        while len(self.stack) > 1:
            container = self.stack.pop()
            if container.is_sequence and container.length_at >= 0:
                self.at = container.end
                return False
        self.shape.end = self.top_at
        return True

    def _inside(self, item: ElementHeader, sequence: _Container) -> Encoding:
        """Items may be implicit VR within an explicit data set (PS3.5 6.2.2), not the reverse."""
        vr = self.data[item.value_at + 4 : item.value_at + 6]
        explicit = not sequence.encoding.implicit and vr.isalpha() and vr.isupper()
        return sequence.encoding._replace(implicit=not explicit)

    def _holds_items(self, header: ElementHeader, inner: _Container) -> bool:
        """Whether a value that ought to be a sequence begins with an item (or its end)."""
        if header.length == 0:
            return False
        first = self.data[header.value_at : header.value_at + 4]
        little = self._contents(header, inner).little
        return first in (_LITTLE_ITEMS if little else _BIG_ITEMS)

    def _contents(self, header: ElementHeader, inner: _Container) -> Encoding:
        """A UN sequence is little endian in any transfer syntax (PS3.5 6.2.2)."""
        return inner.encoding if header.vr != b"UN" else inner.encoding._replace(little=True)

    def _is_padding(self) -> bool:
        """Whether only NUL bytes follow: some writers fill up to a block size."""
        if self.padding_at < 0:
            self.padding_at = len(self.data.rstrip(b"\x00"))
        return self.at >= self.padding_at


def fragments_end(data: bytes, at: int, end: int, encoding: Encoding) -> int:
    """Position after the sequence delimiter of encapsulated data that begins at `at`.

    -1 if it does not come by `end`.
    """
    headers = struct.Struct("<HHI" if encoding.little else ">HHI")
    while at + 8 <= end:
        group, element, length = headers.unpack_from(data, at)
        tag = group << 16 | element
        if tag == SEQUENCE_END:
            return at + 8
        if tag != ITEM or length == UNDEFINED:
            return -1
        at += 8 + length
    return -1


def tag_text_of(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _is_sequence(header: ElementHeader) -> bool:
    """SQ; also UN and implicit VR if the dictionary says SQ, or of undefined length and no bulk data."""
    if header.vr == b"SQ":
        return True
    if header.vr not in (b"", b"UN"):
        return False
    known = vr_of(header.tag)
    return known == b"SQ" or (header.length == UNDEFINED and (not known or header.vr == b"UN"))
