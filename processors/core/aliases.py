"""Merged patients: whose images these are now (CONTRACT 4, What crosses studies).

Rules of this file: pure; links come through a lookup, so that a site's whole history of merges need not be in
memory. A link is a maximum each of the stamps under which it was merged and unmerged, so the order of events
does not show; who survives follows from the links alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from processors.core.corrections import PatientId, PatientMerged, PatientUnmerged
from processors.core.events import Stamp
from processors.core.policy import Policy
from processors.core.reference import Identifier
from processors.core.references import patient_identifier


class Link(NamedTuple):
    """What is known of one pair of patients."""

    prior: PatientId
    survivor: PatientId
    """An empty value: every link of `prior`, of which then only `unmerged` is known."""
    source: str
    """Whose default system an id without an issuer has; empty where both have one."""
    merged: Stamp | None = None
    unmerged: Stamp | None = None

    def joined(self, event: PatientMerged | PatientUnmerged) -> Link:
        """With one more event of this pair."""
        if isinstance(event, PatientMerged):
            return self._replace(merged=max(self.merged or event.stamp, event.stamp))
        return self._replace(unmerged=max(self.unmerged or event.stamp, event.stamp))

    def with_all_of(self, other: Link) -> Link:
        """What either knows of one pair."""
        return self._replace(
            merged=max((s for s in (self.merged, other.merged) if s is not None), default=None),
            unmerged=max((s for s in (self.unmerged, other.unmerged) if s is not None), default=None),
        )


def link_of(event: PatientMerged | PatientUnmerged) -> Link:
    """The event's pair, nothing known of it yet."""
    has_issuers = event.prior.issuer and (event.survivor.issuer or not event.survivor.value)
    return Link(event.prior, event.survivor, "" if has_issuers else event.stamp.source)


Lookup = Callable[[str], Iterable[Link]]
"""The links whose prior patient has this id, whoever issued it."""


class Walk(NamedTuple):
    """The way from a patient to the one who survives."""

    end: Identifier
    ignored: frozenset[Link]
    """Links met on the way that would close a cycle."""


def walk(start: Identifier, links: Lookup, policy: Policy) -> Walk:
    """Follow links until a patient has none. Of his links the one merged last holds; the one that closes a
    cycle, by its stamp, is ignored, and his next one holds.
    """
    ignored: set[Link] = set()
    while True:
        passed: dict[Identifier, Link] = {}
        at = start
        while at not in passed and (link := _holding(at, links, policy, ignored)) is not None:
            passed[at] = link
            at = _identifier(link.survivor, link.source, policy)
        if at not in passed:
            return Walk(at, frozenset(ignored))
        cycle = list(passed.values())[list(passed).index(at) :]
        ignored.add(max(cycle, key=_merged_at))


def _holding(patient: Identifier, links: Lookup, policy: Policy, ignored: set[Link]) -> Link | None:
    own = [link for link in links(patient.value) if _identifier(link.prior, link.source, policy) == patient]
    freed = max((link.unmerged for link in own if link.unmerged and not link.survivor.value), default=None)
    standing = []
    for link in own:
        ends = [stamp for stamp in (link.unmerged, freed) if stamp is not None]
        if link.merged is not None and link.merged > max(ends, default=_BEGINNING) and link not in ignored:
            standing.append(link)
    return max(standing, key=_merged_at, default=None)


_BEGINNING = Stamp(-(2**62), False, "", "", b"")


def _merged_at(link: Link) -> Stamp:
    return link.merged or _BEGINNING


def _identifier(patient: PatientId, source: str, policy: Policy) -> Identifier:
    return patient_identifier(patient.value, patient.issuer, source, policy)
