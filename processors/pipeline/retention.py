"""Retention in a step: clocks of studies, purges when they run out, and all clocks anew after a change.

Rules of this file: what a purge does to a home; what stays of a study and what may still happen to it is
`core.purging`'s. A site that purges nothing pays for looking at a number.

The clocks are those of `s` entries, found by the index of clocks, so no tick reads more than what is due.
Where the setting is not the one under which a home's clocks were set, its studies are gone through once,
a few a tick; what it came to is an entry of its own, so that a crash goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator

from processors.avro.envelope import decode_state
from processors.core.instances import NEVER
from processors.core.policy import Policy
from processors.core.purging import DAY_MS, hear, left_of, put_off, set_clock
from processors.core.study import StudyState
from processors.pipeline.entries import entry_of
from processors.pipeline.evaluation import Work
from processors.pipeline.homes import Home
from processors.pipeline.records import StateEntry, Step
from processors.wire import remnant_rows as rows
from processors.wire.remnant_rows import RETENTION
from processors.wire.state import Row, kind_of, study_of

PURGES_AT_ONCE = 50
"""Of one tick in a home. Each study is read whole; more would hold up the series that are due."""

STUDIES_AT_ONCE = 100
"""Whose clocks are set in one tick; as above."""

FIRST_STUDY = '"'
"""No key of a study comes before; those of homes begin with `!`."""


class Retention:
    def __init__(self, policy: Policy) -> None:
        self._namespace = policy.namespace
        self._days = policy.retention_days
        self.ms = policy.retention_ms
        """0: nothing is ever purged."""

    def hear(self, study: StudyState, at_ms: int) -> None:
        """A record of that time was folded into the study. One whose UIDs changed is never purged."""
        if self.ms and study.holds_anything and study.names is None:
            hear(study, at_ms, self.ms)

    def end(self, work: Work, step: Step) -> None:
        """After evaluation of a study whose clock ran out: purge it, unless it must stay."""
        work.outlived = False
        study = work.study
        if not self.ms:
            study.purge_at_ms, study.touched_study = None, True
        elif not put_off(study):
            step.entries += work.home.patients.leave(study.patients, study.study_instance_uid)
            work.study = left_of(study, self._namespace)
            work.home.replace(work.study)
            step.events["purged",] += 1

    # ---- a change of the setting -----------------------------------------------------------------------

    def check(self, home: Home, now_ms: int) -> list[StateEntry]:
        """Begin to set the home's clocks, if they are another setting's; asked once after each assignment."""
        if home.retention_checked:
            return []
        home.retention_checked = True
        found = home.store.get(RETENTION)
        known = None if found is None else rows.decode_retention(decode_state(found).body)
        if (known.days if known else 0) == self._days:
            return []
        if not self._days:
            return _put(home, None)
        since_day = now_ms // DAY_MS if known is None else known.since_day
        is_new = home.store.first_key(FIRST_STUDY) is None
        return _put(home, rows.Retention(self._days, since_day, None if is_new else ""))

    def walk(self, home: Home, now_ms: int) -> tuple[list[str], list[StateEntry]]:
        """(the next studies whose clocks were set, entries that note how far this went)."""
        found = home.store.get(RETENTION)
        if found is None:
            return [], []
        known = rows.decode_retention(decode_state(found).body)
        if known.cursor is None or not self.ms:
            return [], []
        studies = list(_studies_after(home, known.cursor))
        for uid in studies:
            study = home.study(uid)
            if study.holds_anything and study.names is None:
                study.heard_day = max(study.heard_day, known.since_day)
                set_clock(study, self.ms, not_before_ms=now_ms)
        is_end = len(studies) < STUDIES_AT_ONCE
        reached = rows.Retention(known.days) if is_end else known._replace(cursor=studies[-1])
        return studies, _put(home, reached)


def is_purge(key: str) -> bool:
    """Whether the clock of this entry is that of a study's purge."""
    return kind_of(key) == "s"


def _studies_after(home: Home, cursor: str) -> Iterator[str]:
    """In the order of their keys; `|` ends a UID, and `}` comes next."""
    for _ in range(STUDIES_AT_ONCE):
        key = home.store.first_key(f"{cursor}}}" if cursor else FIRST_STUDY)
        if key is None:
            return
        cursor = study_of(key)
        yield cursor


def _put(home: Home, retention: rows.Retention | None) -> list[StateEntry]:
    if retention is None:
        entry = entry_of(home.number, Row(RETENTION, None))
    else:
        due_at_ms = None if retention.cursor is None else NEVER  # whatever the home's clock says
        entry = entry_of(home.number, Row(RETENTION, rows.encode_retention(retention), due_at_ms))
    home.store.put([entry])
    return [entry]
