"""Random histories: whatever may happen, few things again and again, and reports that are tied to each other.

Rules of this file: Hypothesis strategies; what one event may be is `events`' part, no assertion.
"""

from __future__ import annotations

from hashlib import sha256
from random import Random

from hypothesis import strategies as st

from processors.core.corrections import (
    AnyEvent,
    InstanceErased,
    PatientId,
    PatientMerged,
    PatientUnmerged,
    Scope,
    UidChanged,
)
from processors.core.events import (
    Code,
    Concept,
    Document,
    DocumentArrived,
    DocumentPath,
    Focus,
    FocusKind,
    GroupKind,
    InstanceHeader,
    RejectedInstance,
    RejectionNote,
    ReportedGroup,
    ReportedItem,
    SeriesCompleted,
    SeriesHeader,
    Stamp,
)
from tests.property.events import (
    CT,
    DAY_US,
    DOCUMENT_SERIES,
    DOCUMENT_SOPS,
    KOS,
    SERIES,
    SOPS,
    SOURCES,
    SR,
    STUDIES,
    UNPLACED_STATE,
    VOLUMES,
    arrived,
    deleted,
    events,
)


class Few:
    """Events about few things, so that most repeat another but for its stamp; choices from a seed.

    Hypothesis' own choices repeat themselves too much to bring such events together by chance; it still
    leaves out events while it looks for a smaller history.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.count = 0

    def stamp(self, removal: bool = False) -> Stamp:
        self.count += 1
        at_us = DAY_US + self.random.randrange(5) * 1_000_000
        return Stamp(at_us, removal, self.random.choice(SOURCES), f"{self.count}", b"12345678")

    def path(self) -> tuple[str, str, str]:
        return "1.1", self.random.choice(SERIES), self.random.choice(SOPS[:2])

    def header(self) -> SeriesHeader:
        return SeriesHeader("CT", 1, patient_id=self.random.choice(("P1", "P1", "P1", "P2")))

    def item(self) -> ReportedItem:
        study, of_series, sop = self.path()
        study, of_series = self.random.choice(
            ((study, of_series), (study, of_series), ("1.2", "2.1"), ("", ""))
        )
        return ReportedItem(study, of_series, sop, CT)

    def document(self, note: bool = False) -> DocumentArrived:
        path = DocumentPath("1.1", DOCUMENT_SERIES, self.random.choice(DOCUMENT_SOPS[:2]))
        focus = self.random.choice(((), (UNPLACED_STATE,)))
        code = Concept(Code("urn:x", "113000"))
        group = ReportedGroup(GroupKind.KEY_IMAGES, "", code, (self.item(),), focus=focus)
        title = self.random.choice(("113037", "113039", "REVOKE"))
        rejected = RejectedInstance(*self.random.choice((self.path(), ("", "", "3.1"))))
        document = Document(
            path,
            KOS,
            "KO",
            InstanceHeader(KOS, 1),
            self.header(),
            groups=() if note else (group,),
            rejection=RejectionNote(title, (rejected,)) if note else None,
        )
        digest = sha256(repr(document).encode()).digest()[:8]
        return DocumentArrived(document._replace(content_digest=digest), self.stamp())

    def change(self) -> UidChanged:
        one, other = self.path(), self.path()
        if self.random.random() < 0.5:
            other = ("1.2", *other[1:])
        if self.random.random() < 0.3:
            one, other = other, one
        depth = self.random.choice((1, 2, 2, 3, 3))
        return UidChanged(Scope(*one[:depth]), Scope(*other[:depth]), self.stamp())

    def event(self) -> AnyEvent:
        kind = self.random.randrange(18)
        if kind >= 16:
            return self.change()
        if kind < 5:
            image = InstanceHeader(CT, 1, None, *map(self.random.choice, (("", "", "4.1"), VOLUMES)))
            return arrived(self.path(), self.stamp(), image, self.header(), self.random.random() < 0.8)
        if kind < 8:
            return self.document()
        if kind == 8:
            return self.document(note=True)
        if kind == 9:
            expected = self.random.choice((None, 1, 3))
            return SeriesCompleted("1.1", self.random.choice(SERIES), self.stamp(), expected)
        if kind >= 14:
            gone = self.random.choice((self.path(), self.path(), ("1.1", DOCUMENT_SERIES, "5.1")))
            return InstanceErased(*gone, self.stamp(removal=True))
        if kind >= 12:
            prior, survivor = self.random.sample(("P1", "P2", "P3"), 2)
            undone = self.random.random() < 0.3
            pair = PatientId(prior), PatientId(survivor)
            return PatientUnmerged(*pair, self.stamp(True)) if undone else PatientMerged(*pair, self.stamp())
        gone = self.random.choice((self.path(), self.path(), ("1.1", DOCUMENT_SERIES, "5.1")))
        return deleted(gone, self.stamp(removal=True))


@st.composite
def few_histories(draw: st.DrawFn) -> list[AnyEvent]:
    few = Few(draw(st.integers(0, 2**32)))
    return [few.event() for kept in draw(st.lists(st.booleans(), min_size=16, max_size=16)) if kept]


class Knots(Few):
    """Reports of two studies that are copies of each other, replace each other and are to be seen with each
    other; names of images among those of reports.
    """

    def path(self) -> tuple[str, str, str]:
        """Of an image or a report; now and then an image's name in the reports' series."""
        study, choice = self.random.choice(STUDIES), self.random.random()
        if choice < 0.4:
            return study, self.random.choice(SERIES), self.random.choice(SOPS[:2])
        sops = SOPS[:2] if choice > 0.85 else DOCUMENT_SOPS[:2]
        return study, DOCUMENT_SERIES, self.random.choice(sops)

    def named(self) -> tuple[str, str, str]:
        """The same, perhaps without evidence."""
        path = self.path()
        return path if self.random.random() < 0.6 else ("", "", path[2])

    def item(self) -> ReportedItem:
        return ReportedItem(*self.named(), CT)

    def focus(self) -> tuple[Focus, ...]:
        if self.random.random() < 0.4:
            return ()
        return (Focus(FocusKind.PRESENTATION_STATE, "|".join(self.named())),)

    def document(self, note: bool = False) -> DocumentArrived:
        choice = self.random.random
        study, sop = self.random.choice(STUDIES), self.random.choice(DOCUMENT_SOPS[:2])
        path = DocumentPath(study, DOCUMENT_SERIES, sop)
        sop_class = KOS if note or choice() < 0.5 else SR
        kind = GroupKind.KEY_IMAGES if sop_class == KOS else GroupKind.REFERENCE
        items = tuple(self.item() for _ in range(self.random.choice((1, 1, 2))))
        group = ReportedGroup(kind, "", Concept(Code("urn:x", "113000")), items, focus=self.focus())
        replaced = DocumentPath(self.random.choice(STUDIES), *self.random.choice(_REPORTS))
        rejected = RejectedInstance(*self.named())
        document = Document(
            path,
            sop_class,
            "KO" if sop_class == KOS else "SR",
            InstanceHeader(sop_class, 1),
            self.header(),
            identical=tuple(uid for uid in DOCUMENT_SOPS[:2] if uid != sop) if choice() < 0.4 else (),
            predecessors=(replaced,) if choice() < 0.4 else (),
            groups=() if note else (group,),
            rejection=RejectionNote(self.random.choice(_TITLES), (rejected,)) if note else None,
            verified_at_us=self.random.choice((None, 1, 2)) if sop_class == SR else None,
        )
        digest = sha256(repr(document).encode()).digest()[:8]
        return DocumentArrived(document._replace(content_digest=digest), self.stamp())

    def change(self) -> UidChanged:
        depth = self.random.choice((1, 2, 2, 3, 3, 3))
        return UidChanged(Scope(*self.path()[:depth]), Scope(*self.path()[:depth]), self.stamp())

    def event(self) -> AnyEvent:
        kind = self.random.randrange(16)
        if kind < 4:
            return self.arrival()
        if kind < 9:
            return self.document()
        if kind == 9:
            return self.document(note=True)
        if kind < 12:
            return self.change()
        if kind < 15:
            return InstanceErased(*self.path(), self.stamp(removal=True))
        return deleted(self.path(), self.stamp(removal=True))

    def arrival(self) -> AnyEvent:
        study, series, sop = self.path()
        sop_class = KOS if series == DOCUMENT_SERIES else CT
        return arrived((study, series, sop), self.stamp(), InstanceHeader(sop_class, 1), self.header(), True)


_REPORTS = tuple((DOCUMENT_SERIES, sop) for sop in DOCUMENT_SOPS[:2])
_TITLES = ("113001", "113037", "113038", "113039", "REVOKE")


@st.composite
def knotted_histories(draw: st.DrawFn) -> list[AnyEvent]:
    knots = Knots(draw(st.integers(0, 2**32)))
    return [knots.event() for kept in draw(st.lists(st.booleans(), min_size=12, max_size=12)) if kept]


histories: st.SearchStrategy[list[AnyEvent]] = st.one_of(
    st.lists(events, max_size=14), few_histories(), knotted_histories()
)
