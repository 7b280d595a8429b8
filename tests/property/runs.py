"""Members over memory for the properties, and what readers of the FHIR topic end up with.

Rules of this file: policies, members and the reading of outputs; its one assertion is the numbering of
revisions, which no run may break.
"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st

from processors.core.corrections import AnyEvent
from processors.core.policy import Completeness, CompletenessOverride, Identity, Policy
from processors.dicom import ReadingPolicy
from processors.pipeline.decode import Decoder
from processors.pipeline.memory import MemoryMember
from processors.pipeline.records import OutputRecord, OutputTopic, Record
from processors.pipeline.regrouping import regrouped
from processors.pipeline.topology import Limits, Pipeline
from processors.wire.json_text import load
from tests.property.events import DAY_US, INTAKE, PARTITIONS, SOURCES, record_of

NOW_MS = DAY_US // 1000 + 60_000

References = dict[str, dict[str, Any]]

BY_SOURCE = Policy(
    overrides=(CompletenessOverride(SOURCES[1], "", Completeness(1_000, 5_000)),),
    identity=Identity(
        patient_id_systems={source: f"urn:patients:{n}" for n, source in enumerate(SOURCES)},
        accession_systems={source: f"urn:orders:{n}" for n, source in enumerate(SOURCES)},
    ),
    endpoints={source: f"Endpoint/{n}" for n, source in enumerate(SOURCES)},
)
"""A site where it matters who said a thing."""
LENIENT = Policy(
    series_instances="omit_when_complete",
    volumes_by=("orientation", "acquisition"),
    hide_quality_rejections=False,
    publish_manifests=True,
)
IN_SPACE = Policy(space_regions="image", unresolved_after_s=1.0)
policies = st.sampled_from((Policy(), BY_SOURCE, LENIENT, IN_SPACE))


def member(
    policy: Policy, decoder: Decoder | None = None, partitions: int = PARTITIONS, cached: int = 0
) -> MemoryMember:
    """Forgets every study at once, so that each step reads its state from the store; `cached`: instances of
    studies that it keeps in memory.
    """
    decoder = decoder or Decoder(ReadingPolicy())
    limits = Limits(cached, 1_000, 100_000)
    return MemoryMember(
        lambda: Pipeline(policy, decoder, partitions, INTAKE, b"", limits),
        partitions,
        INTAKE,
    )


def latest(outputs: list[OutputRecord]) -> tuple[References, References]:
    """(available, withdrawn) by id, without version and time."""
    found: References = {}
    revisions: dict[str, int] = {}
    for output in outputs:
        if output.topic is not OutputTopic.FHIR:
            continue
        if output.value is None:  # erased
            headers = dict(output.headers)
            reference_id, revision = (output.key or b"").decode(), int(headers["revision"])
            assert revision == revisions[reference_id] + 1, "an erasure is a revision"
            revisions[reference_id] = revision
            del found[reference_id]
            continue
        resource = load(output.value)
        meta = resource.pop("meta")
        revision = int(meta.pop("versionId"))
        assert revision == revisions.get(resource["id"], 0) + 1, "revisions count from 1 without a gap"
        revisions[resource["id"]] = revision
        del meta["lastUpdated"]
        found[resource["id"]] = resource | {"meta": meta}
    available = {i: r for i, r in found.items() if r["status"] == "available"}
    return available, {i: r for i, r in found.items() if i not in available}


def run(policy: Policy, history: list[AnyEvent]) -> tuple[References, References]:
    """The history in one batch, and then every clock."""
    one = member(policy)
    outputs = one.feed([record_of(e, i, NOW_MS) for i, e in enumerate(history)], NOW_MS)
    return latest(outputs + one.run_out(NOW_MS))


def regrow(one: MemoryMember, policy: Policy, partitions: int) -> MemoryMember:
    """Its successor, whose intake has so many partitions."""
    grown = member(policy, partitions=partitions)
    for entry in regrouped(one.stores, partitions):
        grown.stores[entry.home].put([entry])
    for store in grown.stores:
        store.commit(0)
    grown.dispositions, grown.consumed = one.dispositions, one.consumed
    return grown


def reassign(one: MemoryMember, home: int) -> None:
    """Another member had this home for a while."""
    one.pipeline.revoke(home)
    one.pipeline.assign(home, one.stores[home])


class Slow:
    """A member whose intake partitions wait to be read."""

    def __init__(self, policy: Policy) -> None:
        self.member = member(policy)
        self.outputs: list[OutputRecord] = []
        self._waiting: dict[int, list[Record]] = {}

    @property
    def is_behind(self) -> bool:
        return bool(self._waiting)

    def feed(self, records: list[Record], now_ms: int) -> None:
        """One batch; what it tells waits."""
        self.member.consumed += len(records)
        for told in self.member._commit(self.member.pipeline.process(records, now_ms), self.outputs, now_ms):
            self._waiting.setdefault(told.partition, []).append(told)

    def catch_up(self, random: Random, now_ms: int) -> None:
        """Read on in some partition."""
        partition = random.choice(sorted(self._waiting))
        waiting = self._waiting.pop(partition)
        upto = random.randint(1, len(waiting))
        if waiting[upto:]:
            self._waiting[partition] = waiting[upto:]
        self.feed(waiting[:upto], now_ms)
