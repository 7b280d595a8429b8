"""Series that grew after they were closed, by source and modality, and how long to wait so that few do.

Rules of this file: facts in, figures out; pure but for the reading. When the last image of a revision arrived
follows from its fact (`published_at` less `settle_ms`); the time from there to the last image of the next
revision is what the quiet time would have had to be at most. Gaps within a series that was not closed are not
seen, so that no shorter time than the present one is ever suggested.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from processors.core.completeness import Rule
from processors.core.policy import Policy
from processors.operations.facts import revision_of
from processors.settings import Settings
from processors.stream.registries import writers_of
from processors.stream.scan import Scan

LATE = math.inf
"""What came after the hard stop's time: no waiting would have helped."""


class EarlyCloses(NamedTuple):
    """One source and modality. A series of two sources counts for both."""

    source: str
    modality: str
    series: int
    """That were closed."""
    closed_by: dict[str, int]
    """Rule of the first closing → series."""
    amended: int
    """Of those, that images were added to later."""
    late: int
    """Of those amended, by images that came when the hard stop would have been over."""
    quiet_s: float
    """As it is set now."""
    suggested_quiet_s: float
    """With which no more than the target share would have been amended, late ones aside."""
    still_amended: int
    """How many there would have been with the suggestion."""

    @property
    def share(self) -> float:
        return self.amended / self.series


@dataclass(slots=True)
class _Series:
    source: tuple[str, ...]
    modality: str
    first_rule: str
    last_rule: str
    arrived_ms: float
    """The last image of the latest closing."""
    amended: bool = False
    needed_ms: float = 0
    """Quiet time that would have held them together; 0: the present one did, or it was not by quiet."""


@dataclass(slots=True)
class Observed:
    """Facts of series, a revision after the other."""

    policy: Policy
    _series: dict[str, _Series] = field(default_factory=dict)

    def take(self, fact: dict[str, Any]) -> None:
        if fact["kind"] != "series" or not fact["closed_by"] or fact["settle_ms"] is None:
            return
        arrived_ms = fact["published_at"] / 1000 - fact["settle_ms"]
        rule, sources = fact["closed_by"], tuple(fact["sources"]) or ("unknown",)
        known = self._series.get(fact["reference_id"])
        if known is None:
            self._series[fact["reference_id"]] = _Series(
                sources, fact["modality"] or "", rule, rule, arrived_ms
            )
            return
        if fact["added"]:
            known.amended = True
            if known.last_rule in (Rule.QUIET, Rule.HARD_STOP):
                known.needed_ms = max(known.needed_ms, arrived_ms - known.arrived_ms)
        known.last_rule, known.arrived_ms = rule, max(arrived_ms, known.arrived_ms)

    def report(self, target: float) -> list[EarlyCloses]:
        """By source and modality; `target`: the share of series that may be amended, 0 to 1."""
        groups: dict[tuple[str, str], list[_Series]] = {}
        for each in self._series.values():
            for source in each.source:
                groups.setdefault((source, each.modality), []).append(each)
        return [self._line(*key, members, target) for key, members in sorted(groups.items())]

    def _line(self, source: str, modality: str, members: list[_Series], target: float) -> EarlyCloses:
        now = self.policy.completeness_for(source, modality)
        needs = [LATE if each.needed_ms >= now.hard_stop_ms else each.needed_ms for each in members]
        suggested_s = max(now.quiet_ms / 1000, _quantile(needs, target))
        return EarlyCloses(
            source,
            modality,
            len(members),
            dict(sorted(Counter(each.first_rule for each in members).items())),
            sum(each.amended for each in members),
            needs.count(LATE),
            now.quiet_ms / 1000,
            suggested_s,
            sum(
                each.amended and (need == 0 or need >= suggested_s * 1000)
                for each, need in zip(members, needs, strict=True)
            ),
        )


def _quantile(needs_ms: Iterable[float], target: float) -> float:
    """Whole seconds that more than all but a share of `target` would have needed; late ones aside."""
    waitable = sorted((need for need in needs_ms if need < LATE), reverse=True)
    if not waitable:
        return 0.0
    need_ms = waitable[min(math.floor(target * len(waitable)), len(waitable) - 1)]
    return math.floor(need_ms / 1000) + 1.0 if need_ms else 0.0


def early_closes(settings: Settings, target: float, since_ms: int | None = None) -> list[EarlyCloses]:
    """From the facts there are, or those since a time. A series is known from its first fact in there on."""
    observed = Observed(settings.policy())
    topic, writers = settings.topics.analytics, writers_of(settings)
    with Scan(settings.kafka) as scan:
        for record in scan.read(scan.extent([topic], since_ms)):
            revision = revision_of(record, writers)
            if revision is not None:
                observed.take(revision.fact)
    return observed.report(target)


def as_overrides(lines: Iterable[EarlyCloses]) -> list[dict[str, Any]]:
    """`[[completeness.override]]` of those where waiting longer would help."""
    return [
        {"source": line.source, "modality": line.modality, "quiet_s": line.suggested_quiet_s}
        for line in lines
        if line.suggested_quiet_s > line.quiet_s
    ]
