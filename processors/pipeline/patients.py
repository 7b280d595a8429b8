"""A home's merged patients: its alias table, and the studies that a merge concerns.

Rules of this file: rows in and out of the store; who survives is `core.aliases`. What is read is remembered
only until the table changes, so a site's whole history of merges costs no memory. A merge costs the patients
that were merged into the prior one before, once for all merges between two ticks; their studies are found by
an index and looked at a thousand a tick, however many they are.
"""

from __future__ import annotations

from collections.abc import Iterable

from processors.avro.envelope import decode_state
from processors.core.aliases import Link, link_of, walk
from processors.core.corrections import PatientMerged, PatientUnmerged
from processors.core.identity import name_hash
from processors.core.policy import Policy
from processors.core.reference import Identifier
from processors.core.references import patient_identifier
from processors.pipeline.entries import entry_of
from processors.pipeline.ports import StateStore
from processors.pipeline.records import StateEntry
from processors.wire import patient_rows as rows
from processors.wire.state import Row

REMEMBERED = 10_000
"""Patients whose survivor is remembered, about 500 bytes each; after so many all are looked up anew."""


class Patients:
    """Every method that returns entries has put them into the store."""

    def __init__(self, home: int, store: StateStore) -> None:
        self._home = home
        self._store = store
        self._survivors: dict[Identifier, Identifier] = {}
        self._linked: bool | None = None
        """Whether anybody was ever merged; None: not yet asked."""
        self._told: set[str] = set()
        """Patients, as hashes, who wait with all that were merged into them, since the last look at any."""

    def survivor(self, patient: Identifier, policy: Policy) -> Identifier:
        """The patient whom this one was merged into, else himself."""
        if self._linked is None:
            self._linked = any(True for _ in self._store.scan(rows.LINKS))
        if not self._linked:
            return patient
        found = self._survivors.get(patient)
        if found is None:
            if len(self._survivors) >= REMEMBERED:
                self._survivors.clear()
            found = self._survivors[patient] = walk(patient, self._links, policy).end
        return found

    def fold(
        self, event: PatientMerged | PatientUnmerged, at_ms: int, policy: Policy
    ) -> tuple[list[StateEntry], bool]:
        """(entries, whether the link is ignored since it would close a cycle); no entry: nothing new."""
        link = link_of(event)
        key = rows.link_key(link)
        known = self._store.get(key)
        if known is not None:
            link = rows.decode_link(decode_state(known).body)
        joined = link.joined(event)
        if joined == link:
            return [], False
        entries = [self._entry(key, rows.encode_link(joined))]
        if joined.survivor.value:
            entries.append(self._entry(rows.upstream_key(joined), rows.MARK))
        self._store.put(entries)
        waiting = [
            self._entry(rows.waiting_key(patient), rows.encode_cursor(""), at_ms)
            for patient in sorted(self._to_tell(name_hash(joined.prior.value)))
            if any(True for _ in self._store.scan(rows.studies_of(patient)))
        ]
        self._store.put(waiting)
        self._look_up_anew()
        return entries + waiting, self._closes_cycle(joined, policy)

    def _closes_cycle(self, link: Link, policy: Policy) -> bool:
        """Only where somebody was merged into the prior patient can the way lead back to him."""
        if not any(True for _ in self._store.scan(rows.upstream_of(name_hash(link.prior.value)))):
            return False
        prior = patient_identifier(link.prior.value, link.prior.issuer, link.source, policy)
        return link in walk(prior, self._links, policy).ignored

    def follow(self, patients: Iterable[str], study_instance_uid: str) -> list[StateEntry]:
        """From now on merges of these patient ids concern this study."""
        self._told.clear()
        entries = [self._entry(key, rows.MARK) for key in _index_keys(patients, study_instance_uid)]
        self._store.put(entries)
        return entries

    def leave(self, patients: Iterable[str], study_instance_uid: str) -> list[StateEntry]:
        """Nothing is left of this study."""
        entries = [self._entry(key, None) for key in _index_keys(patients, study_instance_uid)]
        self._store.put(entries)
        return entries

    def waiting_studies(self, key: str, limit: int) -> tuple[list[str], list[StateEntry]]:
        """(studies of a waiting patient, at most `limit`; entries that note how far this went)."""
        self._told.clear()
        found = self._store.get(key)
        if found is None or limit <= 0:
            return [], []
        cursor = rows.decode_cursor(decode_state(found).body)
        patient = rows.last_of(key)
        studies = [
            uid for k, _ in self._store.scan(rows.studies_of(patient)) if (uid := rows.last_of(k)) > cursor
        ]
        if len(studies) > limit:
            studies = studies[:limit]
            entry = self._entry(key, rows.encode_cursor(studies[-1]), 0)
        else:
            entry = self._entry(key, None)
        self._store.put([entry])
        return studies, [entry]

    def forget(self) -> None:
        """What was looked up, or put, may not be so."""
        self._told.clear()
        self._look_up_anew()

    def _look_up_anew(self) -> None:
        self._survivors.clear()
        self._linked = None

    def _links(self, prior_id: str) -> list[Link]:
        return [
            rows.decode_link(decode_state(value).body)
            for _, value in self._store.scan(rows.links_of(prior_id))
        ]

    def _to_tell(self, patient: str) -> set[str]:
        """This patient and all that were ever merged into him, as hashes, but for those who wait already."""
        found, unread = {patient}, [patient]
        while unread:
            for key, _ in self._store.scan(rows.upstream_of(unread.pop())):
                if (prior := rows.last_of(key)) not in found and prior not in self._told:
                    found.add(prior)
                    unread.append(prior)
        self._told |= found
        return found

    def _entry(self, key: str, body: bytes | None, due_at_ms: int | None = None) -> StateEntry:
        return entry_of(self._home, Row(key, body, due_at_ms))


def _index_keys(patients: Iterable[str], study_instance_uid: str) -> list[str]:
    return [rows.studies_of(name_hash(each)) + study_instance_uid for each in sorted(patients)]
