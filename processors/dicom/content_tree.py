"""The content tree of a structured report (PS3.3 C.17.3): every content item once, with its path.

Rules of this file: the walk, paths and by-reference lookup; what an item means belongs to its reader. The
walk is iterative and linear in the number of content items.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from processors.core.events import Concept
from processors.dicom.codes import first_code
from processors.dicom.data_set import DataSet
from processors.dicom.reading import Reading, ReadingPolicy
from processors.dicom.values import first, has, items, tag_of, unsigned_numbers
from processors.errors import DeadLetterCode, Refused

CONTENT_SEQUENCE_TAG = "(0040,A730)"

_VALUE_TYPE = tag_of("ValueType")
_NESTED = ("ContentSequence",)
_NESTED_TRIAL = ("ContentSequence", "FindingsSequenceTrial", "RelationshipSequenceTrial")
"""The retired trial classes keep their content below Findings Sequence (0040,A020), without value types."""


_VALUE_TYPES = (
    "CODE COMPOSITE CONTAINER DATE DATETIME IMAGE NUM PNAME SCOORD SCOORD3D TABLE TCOORD TEXT TIME UIDREF "
    "WAVEFORM"
).split()
_AS_SENT = {name.encode() + b" " * (len(name) % 2): name for name in _VALUE_TYPES}
"""All of PS3.3 C.17.3.2.1, as written by the book; others are read as any text."""


@dataclass(slots=True)
class ContentItem:
    """One content item; the document's root is one, too."""

    dataset: DataSet
    path: str
    """`1.5.1.6`: the root is 1, then ordinals from 1 ((0040,DB73)); valid only with the document's UID."""
    depth: int
    value_type: str
    """(0040,A040): CONTAINER, NUM, IMAGE …; empty for a by-reference item."""
    name: Concept
    """Concept Name (0040,A043), empty if it has none. Below the root read without warnings: most names are
    never published."""
    parent: ContentItem | None = None
    children: list[ContentItem] = field(default_factory=list)

    def ancestors(self) -> Iterator[ContentItem]:
        """From the parent up to the root."""
        item = self.parent
        while item is not None:
            yield item
            item = item.parent


@dataclass(frozen=True, slots=True)
class ContentTree:
    root: ContentItem
    by_path: dict[str, ContentItem]
    """In document order: depth first, as written."""

    def target(self, item: ContentItem, reading: Reading) -> ContentItem | None:
        """What a by-reference item stands for (PS3.3 C.17.3.2.5), or None if its path leads nowhere or to
        another by-reference item.
        """
        path = unsigned_numbers(item.dataset, "ReferencedContentItemIdentifier", reading)
        target = self.by_path.get(".".join(map(str, path)))
        return None if target is None or is_by_reference(target) else target


def is_by_reference(item: ContentItem) -> bool:
    return not item.value_type and has(item.dataset, "ReferencedContentItemIdentifier")


def content_tree(reading: Reading, policy: ReadingPolicy) -> ContentTree:
    """All content items of the document.

    Raises Refused `nesting_too_deep` beyond `policy.max_depth` levels.
    """
    quiet = reading.quiet()
    sequences = _NESTED_TRIAL if has(reading.dataset, "FindingsSequenceTrial") else _NESTED
    root = _item(reading.dataset, "1", None, reading)
    by_path: dict[str, ContentItem] = {}
    pending = [root]
    while pending:
        item = pending.pop()
        by_path[item.path] = item
        nested = [child for keyword in sequences for child in items(item.dataset, keyword, reading)]
        if nested and item.depth >= policy.max_depth:
            raise Refused(
                DeadLetterCode.NESTING_TOO_DEEP, "content items are nested too deeply", CONTENT_SEQUENCE_TAG
            )
        item.children.extend(
            _item(dataset, f"{item.path}.{ordinal}", item, quiet)
            for ordinal, dataset in enumerate(nested, start=1)
        )
        pending.extend(reversed(item.children))
    return ContentTree(root, by_path)


def _item(dataset: DataSet, path: str, parent: ContentItem | None, reading: Reading) -> ContentItem:
    return ContentItem(
        dataset=dataset,
        path=path,
        depth=parent.depth + 1 if parent else 1,
        value_type=_value_type(dataset, reading) or _implied_value_type(dataset),
        name=first_code(dataset, "ConceptNameCodeSequence", reading) or Concept(),
        parent=parent,
    )


def _value_type(dataset: DataSet, reading: Reading) -> str:
    sent = dataset.elements.get(_VALUE_TYPE)
    known = _AS_SENT.get(dataset.value_of(sent)) if isinstance(sent, tuple) else None
    return known or first(dataset, "ValueType", reading)


def _implied_value_type(dataset: DataSet) -> str:
    """An item of a trial class that names instances is what became an IMAGE item."""
    return "IMAGE" if has(dataset, "ReferencedSOPSequence") or has(dataset, "ReferencedImageSequence") else ""
