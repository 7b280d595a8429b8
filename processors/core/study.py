"""StudyState: everything known of one study, and the fold of an event into it.

Rules of this file: state and its merge, pure. Every event is folded by `fold`, which says what may have
changed (`Effect`); nothing is evaluated here. See `core.series` for why the merge is order-free; beyond a
series the same holds:
  documents    a register each, by stamp: the latest content under a path holds
  rejections   a maximum per (series, SOP, title): a note may come before its objects, and is never forgotten
  superseded   a maximum per SOP UID
  selections   a register each, by stamp; removal wins a tie
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from processors.core import identity
from processors.core.events import (
    Document,
    DocumentPath,
    FocusKind,
    SelectionMade,
    SeriesHeader,
    Stamp,
)
from processors.core.rejection_chunks import RejectedPath, RejectionChunks
from processors.core.remnant import Remnant
from processors.core.series import Published, SeriesState

Place = tuple[str, int]
"""(topic, partition)."""
Origin = tuple[Place, int]
"""Where the record an event came in lies: its partition and offset."""


class DocumentState:
    """One copy of a report object as this study knows it: its own, or the fragment of another study's."""

    __slots__ = (
        "content",
        "due_at_ms",
        "duplicates",
        "former",
        "fragment_sequence",
        "fragment_withdrawn",
        "given_up",
        "origin",
        "sent",
        "stamp",
        "warnings",
    )

    def __init__(self, content: Document, stamp: Stamp, origin: Origin) -> None:
        self.content = content
        self.stamp = stamp
        self.origin = origin
        self.former: dict[bytes, tuple[Stamp, Document]] = {}
        """Other contents under the same path, by digest: what a reference that is gone lists as withdrawn."""
        self.fragment_sequence = -1
        """-1: at home here; else the number of the fragment held."""
        self.fragment_withdrawn = ""
        self.warnings: set[str] = set(content.warnings)
        # -- operational
        self.sent: dict[str, tuple[int, bytes]] = {}
        """Study → number and digest of the last fragment sent there; kept for as long as the document."""
        self.due_at_ms: int | None = None
        """When references that no series is known for are given up; None: no such reference is waiting."""
        self.given_up = False
        self.duplicates = 0

    @property
    def at_home(self) -> bool:
        return self.fragment_sequence < 0

    @property
    def canonical_uid(self) -> str:
        return canonical_uid_of(self.content)

    @property
    def said(self) -> list[tuple[Stamp, Document]]:
        """The present content, then the former ones, latest first; each under its stamp."""
        former = sorted(self.former.values(), key=lambda said: said[0], reverse=True)
        return [(self.stamp, self.content), *former]

    @property
    def contents(self) -> list[Document]:
        """The present content, then the former ones, latest first."""
        return [content for _, content in self.said]

    def say(self, content: Document, stamp: Stamp) -> bool:
        """Fold a content of the same path: a register that keeps its losers. True if it holds now."""
        digest = content.content_digest
        if digest == self.content.content_digest:
            if stamp > self.stamp:  # the same content, but for what of it was erased before
                self.stamp, self.content = stamp, content
            return False
        said = self.former.pop(digest, (stamp, content))
        stamp, content = max(said, (stamp, content), key=lambda each: each[0])
        holds = stamp > self.stamp
        if holds:
            self.former[self.content.content_digest] = (self.stamp, self.content)
            self.content, self.stamp = content, stamp
        else:
            self.former[digest] = (stamp, content)
        if len(self.former) > FORMER_CONTENTS:
            self.forget_earliest()
        return holds

    def forget_earliest(self) -> None:
        """Of the former contents, of which there must be one."""
        del self.former[min(self.former, key=lambda each: self.former[each][0])]


def _marks_of(path: DocumentPath, content: Document) -> set[str]:
    """Of what a content depends on; see `StudyState.dependents`."""
    marks = {path.sop_instance_uid, path.series_instance_uid, *content.identical}
    marks |= {predecessor.sop_instance_uid for predecessor in content.predecessors}
    if content.rejection is not None:
        marks |= {rejected.sop_instance_uid for rejected in content.rejection.instances}
    for group in content.groups:
        for item in group.items:
            marks.add(item.sop_instance_uid)
            marks.add(item.series_instance_uid)
        for focus in group.focus:
            if focus.kind is FocusKind.FRAME_OF_REFERENCE:
                marks.add(ANY_FRAME_OF_REFERENCE)
            elif focus.kind is FocusKind.PRESENTATION_STATE:
                marks.add(focus.value.split("|")[2])
    marks.discard("")
    return marks


def canonical_uid_of(content: Document) -> str:
    return identity.canonical_uid(content.path.sop_instance_uid, content.identical)


FORMER_CONTENTS = 8
"""Contents kept beside the present one, fewer of large ones (`wire.state`). A path should have one; each
costs the document's size, and a reference made only by one that was dropped keeps its last listing when it
is withdrawn."""


class CarriedState:
    """What this study does for a document that lies in it since UIDs changed, and came under another path."""

    __slots__ = ("due_at_ms", "given_up", "sent")

    def __init__(self) -> None:
        self.sent: dict[str, tuple[int, bytes]] = {}
        self.due_at_ms: int | None = None
        self.given_up = False


class SelectionState:
    __slots__ = ("content", "header", "inputs", "published", "stamp", "withdrawn")

    def __init__(self) -> None:
        self.content: SelectionMade | None = None
        """The latest made; kept when withdrawn, since a withdrawn reference still lists its images."""
        self.stamp: Stamp | None = None
        """Of the latest made."""
        self.withdrawn: Stamp | None = None
        self.published: Published | None = None
        self.inputs: dict[tuple[str, int], tuple[int, int]] = {}


SelectionKey = tuple[str, str, str]
"""(series UID, source, selection id)."""


class StudyState:
    """All of one study in memory. `touched_*` name what must be written at the end of the step."""

    purged: Remnant | None = None
    """What is left of a former life of this study; see `core.purging`."""
    heard_day = -1
    """Day since 1970 of its latest record, by the input's time; noted only where studies are purged."""
    purge_at_ms: int | None = None
    touched_study = False
    names: Callable[[DocumentPath], AbstractSet[DocumentPath]] | None = None
    """Every name that an instance has or had, in whichever study; None: the one under which it is known."""
    moved: AbstractSet[tuple[str, ...]] = frozenset()
    """(series, SOP UID) of instances, and keys of selections, that lie elsewhere since UIDs changed; only in
    what `core.moved_study` makes of a study."""

    def __init__(self, study_instance_uid: str) -> None:
        self.study_instance_uid = study_instance_uid
        self.series: dict[str, SeriesState] = {}
        self.documents: dict[DocumentPath, DocumentState] = {}
        self.selections: dict[SelectionKey, SelectionState] = {}
        self.ledgers: dict[str, dict[str, Published]] = {}
        """Canonical document UID → reference id → what was published."""
        self.updates: dict[SeriesHeader, Stamp] = {}
        """From `study.updated`: above every file header."""
        self.rejections: dict[RejectedPath, dict[str, Stamp]] = {}
        """Path → title → latest note. Title REVOKE lifts the earlier ones."""
        self.rejection_chunks = RejectionChunks()
        self.superseded: dict[str, Stamp] = {}
        self.erased: dict[str, int] = {}
        """Hash of an instance's path → when it was erased last, µs UTC; see `core.erasure`."""
        self.last_revisions: dict[str, int] = {}
        """Reference id → the revision with which it was erased."""
        self.dormant: dict[str, Expectation] = {}
        """Hash of a series that erasure left empty → what is still known of it."""
        self.touched_erasures: set[str] = set()
        """Keys of the three above, with `p`, `r` or `s` before them."""
        self.dropped_rows: list[tuple[str, ...]] = []
        """Kind and further parts of the keys of entries that are to go."""
        self.carried: dict[DocumentPath, CarriedState] = {}
        """By the path that the document has now."""
        self.evaluated_as: bytes = b""
        """Digest of the patient and order under which published references were last evaluated."""
        self.patients: set[str] = set()
        """Patient ids whose merges concern this study, as the index by patient has it."""
        self.touched_documents: set[DocumentPath] = set()
        self.touched_ledgers: set[str] = set()
        self.touched_selections: set[SelectionKey] = set()
        self.due_at_ms: int | None = None
        """No clock of this study runs out before; may be too early, never too late."""
        self.first_places: dict[str, str] = {}  # SOP UID → the first series it arrived in
        self._more_places: dict[str, set[str]] = {}
        self.families: dict[str, set[DocumentPath]] = {}
        """Canonical UID → copies."""
        self.dependents: dict[str, set[str]] = {}
        """Series UID, SOP UID, or the mark below → canonical UIDs of documents to look at again."""

    def open_series(self, series_instance_uid: str) -> SeriesState:
        series = self.series.get(series_instance_uid)
        if series is None:
            series = self.series[series_instance_uid] = SeriesState(series_instance_uid)
            series.touched = True
            if self.dormant:
                key = identity.name_hash(self.study_instance_uid, series_instance_uid)
                series.expected, series.completed = self.dormant.get(key, NOTHING_EXPECTED)
        return series

    def places(self, sop_instance_uid: str) -> set[str]:
        """Series in which this SOP UID arrived; usually one."""
        first = self.first_places.get(sop_instance_uid)
        if first is None:
            return set()
        return self._more_places.get(sop_instance_uid) or {first}

    def placed(self, sop_instance_uid: str, series_instance_uid: str) -> bool:
        """A new instance arrived in this series; True if the SOP UID is known in another one."""
        first = self.first_places.setdefault(sop_instance_uid, series_instance_uid)
        if first == series_instance_uid:
            return False
        self._more_places.setdefault(sop_instance_uid, {first}).add(series_instance_uid)
        return True

    def left(self, sop_instance_uid: str, series_instance_uid: str) -> None:
        """An instance is no longer in this series."""
        places = self.places(sop_instance_uid) - {series_instance_uid}
        self.first_places.pop(sop_instance_uid, None)
        self._more_places.pop(sop_instance_uid, None)
        for place in sorted(places):
            self.placed(sop_instance_uid, place)

    def index_document(self, path: DocumentPath, state: DocumentState) -> None:
        """Note what this document depends on; marks only grow, a superfluous look costs no revision."""
        for content in state.contents:
            canonical = canonical_uid_of(content)
            self.families.setdefault(canonical, set()).add(path)
            for mark in _marks_of(path, content):
                self.dependents.setdefault(mark, set()).add(canonical)

    def may_name(self, sop_instance_uid: str) -> set[str]:
        """Canonical UIDs of documents that the instance matters to; it may carry regions in space of those
        that say a frame of reference.
        """
        named = self.dependents.get(sop_instance_uid, set())
        return named | self.dependents.get(ANY_FRAME_OF_REFERENCE, set())

    def index_again(self, path: DocumentPath, before: Iterable[Document]) -> None:
        """Contents of this document went, or something of them: without this the marks of what they named
        would stay. Cost: the document and its family.
        """
        marks, again = set[str](), {path}
        for content in before:
            marks |= _marks_of(path, content)
        for canonical in {canonical_uid_of(content) for content in before}:
            again |= self.families.pop(canonical, set())
            for mark in marks:
                found = self.dependents.get(mark, set())
                found.discard(canonical)
                if not found:
                    self.dependents.pop(mark, None)
        for each in again & self.documents.keys():
            self.index_document(each, self.documents[each])

    def wait_until(self, due_at_ms: int | None) -> None:
        """A clock of this study was set."""
        if due_at_ms is not None and (self.due_at_ms is None or due_at_ms < self.due_at_ms):
            self.due_at_ms = due_at_ms

    @property
    def holds_anything(self) -> bool:
        """Beyond what is said of it as a whole, and what is remembered."""
        return bool(self.series or self.documents or self.selections)

    @property
    def instance_count(self) -> int:
        return sum(len(series.order) for series in self.series.values())


class Expectation(NamedTuple):
    """What senders said of a series as a whole; it names no instance."""

    expected: tuple[Stamp, int] | None = None
    completed: Stamp | None = None

    def with_all_of(self, other: Expectation) -> Expectation:
        """What either knows of one series."""
        return Expectation(
            max((s for s in (self.expected, other.expected) if s is not None), default=None),
            max((s for s in (self.completed, other.completed) if s is not None), default=None),
        )


NOTHING_EXPECTED = Expectation()

ANY_FRAME_OF_REFERENCE = "3d"
"""Mark of documents whose focus is whichever series has a frame of reference."""


def count_inputs(series: SeriesState, place: Place, first: int, last: int | None = None) -> None:
    """Records of these offsets are among those that the series comes from; `last` is `first` if not said."""
    last = first if last is None else last
    known = series.inputs.get(place)
    if known is None:
        series.inputs[place] = (first, last)
    elif last > known[1]:
        series.inputs[place] = (known[0], last)


class Disposition(NamedTuple):
    """How a record ended (CONTRACT 4); `detail` is the ignored reason or dead-letter code."""

    outcome: str
    detail: str = ""


APPLIED = Disposition("applied")
DUPLICATE = Disposition("duplicate")
PARKED = Disposition("parked")


@dataclass(slots=True)
class Effect:
    """What folding one event may have changed."""

    disposition: Disposition
    opened: bool = False
    """The quiet clock of the event's series starts or moves."""
    new_instance: bool = False
    now_series: set[str] = field(default_factory=set)
    """Series to evaluate without waiting, if they were published before."""
    now_unless_open: set[str] = field(default_factory=set)
    """The same, but where images wait for a rule, this waits with them: something was told of completeness,
    which a list may depend on, and none holds yet (CONTRACT 4).
    """
    now_documents: set[str] = field(default_factory=set)
    """Canonical UIDs to evaluate without waiting."""
    erased_documents: set[str] = field(default_factory=set)
    """Canonical UIDs to evaluate without waiting, of whose references some may be left with nothing."""
    now_selections: set[SelectionKey] = field(default_factory=set)
    now_all: bool = False
    completed: bool = False
    """The series may close at once: a completion, or a count that is reached."""
    arrived_document: DocumentPath | None = None
    warnings: tuple[str, ...] = ()
    messages: list[Any] = field(default_factory=list)
    """Events for other studies, to go through the intake topic."""
