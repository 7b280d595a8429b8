"""Bytes to a data set in one walk: every header is met once, and what is wrong with one costs itself only.

Rules of this file: headers and lengths, no values. pydicom's own reader detects no damage: it reads a cut
header as if it were whole, takes a junk VR for a length that swallows the rest, follows nesting into
RecursionError, and takes five times as long. The walk is iterative, copies nothing, and keeps to the budget.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from processors.dicom.data_set import Buffer, DataSet
from processors.dicom.element_headers import (
    ITEM,
    ITEM_END,
    PIXEL_DATA,
    SEQUENCE_END,
    SHORT,
    UNDEFINED,
    ElementHeader,
    Encoding,
    header_at,
    is_sequence,
    junk_header_at,
    tag_text_of,
    vr_of,
)
from processors.dicom.fragments import fragments_end
from processors.dicom.reading import ReadingPolicy
from processors.dicom.time_budget import TimeBudget
from processors.errors import DeadLetterCode, Refused, WarningCode

_LITTLE_ITEMS = (b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0")
_BIG_ITEMS = (b"\xff\xfe\xe0\x00", b"\xff\xfe\xe0\xdd")
_EXPLICIT = {True: struct.Struct("<HH2sH").unpack_from, False: struct.Struct(">HH2sH").unpack_from}
_IMPLICIT = {True: struct.Struct("<HHI").unpack_from, False: struct.Struct(">HHI").unpack_from}
_LENGTH = {True: struct.Struct("<I").unpack_from, False: struct.Struct(">I").unpack_from}
"""By whether it is little endian."""
_PLAIN = SHORT - {b"UN"}
_APART = {0xFFFE, 0x7FE0}
"""Groups of item tags and of pixel data."""
_NULS = re.compile(rb"\x00*")

_SHORT_SEQUENCE = 192
"""Bytes of a sequence that is kept to be met again: codes, most of a report, are the same few. Keeping
longer ones costs more than it saves."""

_UNCOUNTED = 4096
"""How far an icon may run past the length around it, in bytes: 8 a fragment are known to be left out. Without
a bound, nested icons could make the walk quadratic."""


@dataclass(slots=True)
class Parsed:
    data_set: DataSet
    warnings: list[WarningCode] = field(default_factory=list)
    end: int = 0
    """Where the walk ended: at pixel data, after the last element, or where the data set breaks."""

    def warn(self, code: WarningCode) -> None:
        if code not in self.warnings:
            self.warnings.append(code)


@dataclass(slots=True)
class _Container:
    """A sequence, or a set of elements: an item, or the data set itself."""

    data_set: DataSet
    """The elements; of a sequence those around it."""
    end: int
    """Where it must have ended: its own length's, else that of the container around it."""
    encoding: Encoding
    depth: int = 0
    """Sequences around it, itself included."""
    is_defined: bool = False
    """It has a length."""
    items: list[DataSet] | None = None
    """Of a sequence, None for a set of elements."""
    bytes_of_items: bytes = b""
    """Of a sequence short enough to be met again."""


class _Malformed(Exception):
    """The bytes of this place fit no element; a signal between the functions of this file."""


def parse(data: Buffer, start: int, encoding: Encoding, policy: ReadingPolicy, budget: TimeBudget) -> Parsed:
    """Walk the data set that begins at `start` up to pixel data, its end, or the place where it breaks.

    A nested break costs its item or sequence (`dataset_incomplete`); a break at the top costs what follows.
    Raises Refused: `nesting_too_deep` and `time_budget_exceeded` beyond the policy's numbers,
    `truncated_header` if the bytes end within an element before pixel data.
    """
    return _Walk(data, start, encoding, policy, budget).run()


class _Walk:
    def __init__(
        self, data: Buffer, start: int, encoding: Encoding, policy: ReadingPolicy, budget: TimeBudget
    ) -> None:
        self.data = data
        self.size = len(data)
        self.at = start
        self.top_tag = 0
        self.max_depth = policy.max_depth
        self.steps_left = policy.max_elements
        self.budget = budget
        root = DataSet(data, encoding.little)
        self.stack = [_Container(root, self.size, encoding)]
        self.parsed = Parsed(root)
        self.filled_at = self.filled_to = -1
        self.met: dict[bytes, list[DataSet]] = {}

    def run(self) -> Parsed:
        while self.stack:
            inner = self.stack[-1]
            if inner.items is None:
                self._plain(inner)
            self.steps_left -= 1
            self.budget.step()
            if self.steps_left < 0:
                raise Refused(
                    DeadLetterCode.TIME_BUDGET_EXCEEDED,
                    "the header has more elements than this site reads",
                    tag_text_of(self.top_tag),
                )
            try:
                if self.at >= inner.end:
                    self._close(inner)
                elif inner.items is not None:
                    self._item(inner, inner.items)
                elif self._element(inner):
                    break
            except _Malformed:
                if self._give_up():
                    break
        self.parsed.end = self.at
        return self.parsed

    def _plain(self, inner: _Container) -> None:
        """Plain elements one after the other, as nearly all are; the run ends at what wants a closer look."""
        implicit, little = inner.encoding
        run = self._plain_implicit if implicit else self._plain_explicit
        before = self.at
        tag = run(inner.data_set.elements, inner.end, (_IMPLICIT if implicit else _EXPLICIT)[little])
        if self.at > before and len(self.stack) == 1:
            self.top_tag = tag

    def _plain_explicit(
        self, elements: dict[int, Any], end: int, unpack: Callable[[Buffer, int], tuple[Any, ...]]
    ) -> int:
        data, at, steps, tag = self.data, self.at, self.steps_left, 0
        while at + 8 <= end and steps > 0:
            group, element, vr, length = unpack(data, at)
            after = at + 8 + length
            if vr not in _PLAIN or after > end or group == 0xFFFE:
                break
            tag = group << 16 | element
            elements[tag] = (vr, at + 8, length)
            at = after
            steps -= 1
        self.at, self.steps_left = at, steps
        return tag

    def _plain_implicit(
        self, elements: dict[int, Any], end: int, unpack: Callable[[Buffer, int], tuple[Any, ...]]
    ) -> int:
        data, at, steps, tag = self.data, self.at, self.steps_left, 0
        while at + 8 <= end and steps > 0:
            group, element, length = unpack(data, at)
            next_tag = group << 16 | element
            after = at + 8 + length
            if after > end or not group & 0xFF or group in _APART or vr_of(next_tag) == b"SQ":
                break
            tag = next_tag
            elements[tag] = (b"", at + 8, length)
            at = after
            steps -= 1
        self.at, self.steps_left = at, steps
        return tag

    def _close(self, inner: _Container) -> None:
        """The innermost container is used up. One of undefined length wants a delimiter first."""
        if not inner.is_defined and len(self.stack) > 1:
            self._cut_or_malformed(inner)
        if self.at > inner.end:
            raise _Malformed
        if inner.bytes_of_items and all(item.is_alike_anywhere for item in inner.items or ()):
            self.met[inner.bytes_of_items] = inner.items or []
        self.stack.pop()

    def _item(self, sequence: _Container, items: list[DataSet]) -> None:
        at = self.at + 8
        if at <= sequence.end:
            group, element, length = _IMPLICIT[sequence.encoding.little](self.data, self.at)
            if group == 0xFFFE and element == 0xE000 and at + length <= sequence.end:  # nearly every one
                encoding = self._inside(at, sequence)
                item = DataSet(self.data, encoding.little, sequence.data_set)
                items.append(item)
                self.at = at
                self.stack.append(_Container(item, at + length, encoding, sequence.depth, True))
                return
        self._uncommon_item(sequence, items)

    def _uncommon_item(self, sequence: _Container, items: list[DataSet]) -> None:
        header = self._header(sequence)
        if header.tag == SEQUENCE_END and not sequence.is_defined:
            self.at = header.value_at
            self.stack.pop()
        elif header.tag == ITEM:
            encoding = self._inside(header.value_at, sequence)
            item = DataSet(self.data, encoding.little, sequence.data_set)
            items.append(item)
            self._enter(header, sequence, _Container(item, sequence.end, encoding, sequence.depth))
        else:
            raise _Malformed

    def _element(self, inner: _Container) -> bool:
        """One element; True when the walk is over."""
        if self._sequence(inner):
            return False
        top = len(self.stack) == 1
        if top and self.data[self.at] == 0 and self._is_padding():
            self.parsed.warn(WarningCode.NONCONFORMANT_PART10)
            return True
        header = self._header(inner)
        if top:
            self.top_tag = header.tag
            if header.tag in PIXEL_DATA:
                self._pixel_data(header)
                return True
        if header.tag >> 16 == 0xFFFE:
            self._end_item(header, inner)
        elif is_sequence(header) and self._holds_items(header, inner):
            self._enter_sequence(header, inner)
        else:
            start = header.value_at
            if header.length == UNDEFINED:
                self._fragments(header, inner)
            else:
                self._pass(start + header.length, inner)
            inner.data_set.elements[header.tag] = (header.vr, start, self.at - start)
        return False

    def _sequence(self, inner: _Container) -> bool:
        """Enter the explicit VR sequence here, if it is an ordinary one: nearly all are."""
        at = self.at + 12
        if inner.encoding.implicit or at + 8 > inner.end or inner.depth >= self.max_depth:
            return False
        little = inner.encoding.little
        group, element, vr, _ = _EXPLICIT[little](self.data, self.at)
        if vr != b"SQ" or self.data[at : at + 4] not in (_LITTLE_ITEMS if little else _BIG_ITEMS):
            return False
        after = at + _LENGTH[little](self.data, at - 4)[0]
        if not at + 8 <= after <= inner.end or group == 0xFFFE:
            return False
        tag = group << 16 | element
        if len(self.stack) == 1:
            self.top_tag = tag
        sent = bytes(self.data[at:after]) if little and after - at <= _SHORT_SEQUENCE else b""
        items = self.met.get(sent)
        if items is not None:
            self.at = after
        else:
            items, self.at = [], at
            depth = inner.depth + 1
            self.stack.append(_Container(inner.data_set, after, inner.encoding, depth, True, items, sent))
        inner.data_set.elements[tag] = items
        return True

    def _enter_sequence(self, header: ElementHeader, inner: _Container) -> None:
        if inner.depth >= self.max_depth:
            raise Refused(
                DeadLetterCode.NESTING_TOO_DEEP,
                f"sequences are nested more than {self.max_depth} levels deep",
                tag_text_of(self.top_tag),
            )
        items: list[DataSet] = []
        inner.data_set.elements[header.tag] = items
        encoding = self._contents(header, inner)
        self._enter(
            header, inner, _Container(inner.data_set, inner.end, encoding, inner.depth + 1, items=items)
        )

    def _header(self, inner: _Container) -> ElementHeader:
        """The header here; one with a junk VR as what it can be told to mean."""
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
        self.parsed.warn(WarningCode.BAD_VR)
        mended = junk_header_at(self.data, self.at, inner.end, inner.encoding)
        if mended is None:
            raise _Malformed
        return mended

    def _enter(self, header: ElementHeader, outer: _Container, inner: _Container) -> None:
        self.at = header.value_at
        if header.length != UNDEFINED:
            inner.is_defined = True
            inner.end = header.value_at + header.length
            if inner.end > outer.end:
                self._cut_or_malformed(outer)
        self.stack.append(inner)

    def _end_item(self, header: ElementHeader, inner: _Container) -> None:
        if header.tag != ITEM_END or len(self.stack) == 1:
            raise _Malformed
        self.at = inner.end if inner.is_defined else header.value_at
        self.stack.pop()

    def _pass(self, after: int, inner: _Container) -> None:
        if after > inner.end:
            self._cut_or_malformed(inner)
        self.at = after

    def _cut_or_malformed(self, inner: _Container | None = None) -> None:
        """Past the end of the bytes themselves the object is cut; past a container's, lengths disagree."""
        if inner is None or inner.end == self.size:
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
        limit = min(self.size, inner.end + _UNCOUNTED)
        after = fragments_end(self.data, header.value_at, limit, inner.encoding, self.budget)
        if after < 0:
            self._cut_or_malformed(inner)
        for outer in self.stack[1:]:
            if outer.end < after:
                outer.end = after
                self.parsed.warn(WarningCode.DATASET_INCOMPLETE)
        self.at = after

    def _pixel_data(self, header: ElementHeader) -> None:
        after = header.value_at + header.length
        if header.length == UNDEFINED:
            encoding = self.stack[0].encoding
            after = fragments_end(self.data, header.value_at, self.size, encoding, self.budget)
        if after < 0 or after > self.size:
            self.parsed.warn(WarningCode.TRUNCATED_PIXEL_DATA)

    def _give_up(self) -> bool:
        """Go on after the innermost item or sequence that has a length. It counts as empty, since what stands
        before the break may be a value cut short. Without one, end at the element that broke (True).
        """
        self.parsed.warn(WarningCode.DATASET_INCOMPLETE)
        while len(self.stack) > 1:
            container = self.stack.pop()
            (container.data_set.elements if container.items is None else container.items).clear()
            if container.is_defined:
                self.at = container.end
                return False
        return True

    def _inside(self, at: int, sequence: _Container) -> Encoding:
        """Items may be implicit VR within an explicit data set (PS3.5 6.2.2), not the reverse."""
        vr = self.data[at + 4 : at + 6]
        if sequence.encoding.implicit or (vr.isalpha() and vr.isupper()):
            return sequence.encoding
        return sequence.encoding._replace(implicit=True)

    def _holds_items(self, header: ElementHeader, inner: _Container) -> bool:
        """Whether a value that ought to be a sequence begins with an item (or its end)."""
        first = self.data[header.value_at : header.value_at + 4]
        little = self._contents(header, inner).little
        return header.length > 0 and first in (_LITTLE_ITEMS if little else _BIG_ITEMS)

    def _contents(self, header: ElementHeader, inner: _Container) -> Encoding:
        """A UN sequence is little endian in any transfer syntax (PS3.5 6.2.2)."""
        return inner.encoding if header.vr != b"UN" else inner.encoding._replace(little=True)

    def _is_padding(self) -> bool:
        """Whether only NUL bytes follow: some writers fill up to a block size."""
        if not self.filled_at <= self.at < self.filled_to:
            found = _NULS.match(self.data, self.at)
            self.filled_at, self.filled_to = self.at, found.end() if found else self.at
        return self.filled_to == self.size
