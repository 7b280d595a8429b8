"""The events of a hospital's year, day by day in order of arrival, from a seed; and the truth about each
series.

Rules of this file: how the parameters of `hospital` become times; nothing of the product. Sampled by study: a
scale of 0.01 is each hundredth study of the year, so that what happens within a study is as in the whole.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from typing import NamedTuple

from tests.bench import hospital as h

START_MS = 1_767_571_200_000
"""2026-01-05T00:00:00Z, a Monday."""
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
_KINDS = {kind.modality: kind for kind in h.KINDS}
_LASTS_LATE = ("CT", "MR", "PT")


class Arrival(NamedTuple):
    at_ms: int
    order: int
    """Breaks ties."""
    series: Series
    number: int
    """Of the instance, from 1; 0: the series was completed."""

    def value(self) -> bytes:
        """A JSON event, as sources send it."""
        series, number = self.series, self.number
        at = datetime.fromtimestamp(self.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
        if not number:
            return f'{series.completed_head}"event_id":"c{self.order:x}","occurred_at":"{at}"}}'.encode()
        return (
            f'{series.head}"event_id":"{self.order:x}","occurred_at":"{at}","instance_number":{number},'
            f'"sop_instance_uid":"{series.uid}.{number}"}}'
        ).encode()


class Series:
    """One series, and what is true of it whatever anybody saw. `times`: of its images, in ms, in order."""

    __slots__ = ("completed_head", "gap_ms", "head", "last_ms", "modality", "study", "total", "uid")

    def __init__(self, kind: h.Kind, study: str, number: int, source: str, expected: int | None) -> None:
        self.modality, self.study, self.uid = kind.modality, study, f"{study}.{number}"
        self.total = self.last_ms = self.gap_ms = 0
        count = "" if expected is None else f'"number_of_series_related_instances":{expected},'
        path = f'"source":"{source}","study_instance_uid":"{study}","series_instance_uid":"{self.uid}",'
        self.completed_head = f'{{"event":"series.completed",{path}{count}'
        self.head = (
            f'{{"event":"instance.arrived",{path}"sop_class_uid":"{h.IMAGE_STORAGE}{kind.sop_class}",'
            f'"modality":"{kind.modality}","series_number":{number},"patient_id":"P{study[6:]}",'
        )

    def know(self, times: Sequence[int]) -> None:
        self.total, self.last_ms = len(times), times[-1]
        self.gap_ms = max((b - a for a, b in pairwise(times)), default=0)

    def says_count(self, count: int) -> None:
        """Its arrivals say how many there will be."""
        self.head += f'"number_of_series_related_instances":{count},'


class Year:
    """`days()` once. `opened`: series that began so far."""

    def __init__(self, seed: int, scale: float, days: int = h.DAYS) -> None:
        self._chance = Random(seed)
        self._scale = scale
        self._days = days
        self._bins: dict[int, list[Arrival]] = defaultdict(list)
        self._studies = self._orders = 0
        self.opened: dict[str, Series] = {}

    def days(self) -> Iterator[list[Arrival]]:
        """Each day's arrivals in order; what comes after the last day is in some days more."""
        day = 0
        while day < self._days or self._bins:
            if day < self._days:
                self._open(day)
            yield sorted(self._bins.pop(day, ()))
            day += 1

    # ---- which studies ----------------------------------------------------------------------------------

    def _open(self, day: int) -> None:
        weekend = day % 7 >= 5
        weights = 5 + 2 * h.WEEKEND
        mean = h.EXAMS_A_YEAR / h.DAYS * 7 / weights * (h.WEEKEND if weekend else 1) * self._scale
        for _ in range(self._count(mean)):
            hour = self._chance.choices(range(24), h.HOURS)[0] + self._chance.random()
            self._examine(self._kind(), START_MS + day * DAY_MS + round(hour * HOUR_MS))
        if day % h.MIGRATION_DAYS == 4:
            first, last = (START_MS + day * DAY_MS + hour * HOUR_MS for hour in h.MIGRATION_H)
            for _ in range(self._count(h.MIGRATED * self._scale)):
                self._migrate(self._kind(), self._chance.uniform(first, last))

    def _count(self, mean: float) -> int:
        """A whole number around the mean; days differ as chance has it."""
        return max(0, round(self._chance.gauss(mean, math.sqrt(mean))))

    def _kind(self) -> h.Kind:
        return self._chance.choices(h.KINDS, [kind.share for kind in h.KINDS])[0]

    # ---- one study --------------------------------------------------------------------------------------

    def _examine(self, kind: h.Kind, start_ms: int) -> None:
        chance = self._chance
        study = self._study_uid()
        counted, reported = chance.random() < h.COUNTED, chance.random() < h.MPPS
        count_told = chance.random() < h.MPPS_COUNTED
        made = self._acquired(kind, start_ms)
        if chance.random() < h.REMOTE:
            made = [[_over_a_broken_line(at) for at in times] for times in made]
        if kind.modality in _LASTS_LATE:
            made = [times + self._late(times[-1]) for times in made]
        again = _hours(chance, h.RESENT_H) if chance.random() < h.RESENT else None
        for number, exact in enumerate(made, 1):
            times = [round(at) for at in exact]
            count = len(times) + (chance.random() < h.MISCOUNTED)
            series = Series(kind, study, number, f"{kind.modality}_1", count if count_told else None)
            if counted:
                series.says_count(count)
            told_ms = round(times[-1] + chance.uniform(*h.MPPS_S) * 1000) if reported else None
            self._send(series, times, told_ms, again)

    def _migrate(self, kind: h.Kind, start_ms: float) -> None:
        chance = self._chance
        study, counted, at = self._study_uid(), chance.random() < h.MIGRATION_COUNTED, start_ms
        for number in range(1, self._series_of(kind) + 1):
            times = self._burst(at, self._size(kind))
            if chance.random() < h.RECALL:
                cut, away = chance.randrange(len(times)), chance.uniform(*h.RECALL_S) * 1000
                times[cut:] = [at + away for at in times[cut:]]
            at = times[-1]
            series = Series(kind, study, number, "ARCHIVE", None)
            if counted:
                series.says_count(len(times))
            self._send(series, [round(at) for at in times], None, None)

    def _send(self, series: Series, times: list[int], told_ms: int | None, again_h: float | None) -> None:
        series.know(times)
        self.opened[series.uid] = series
        for number, at_ms in enumerate(times, 1):
            self._put(series, number, at_ms)
            if again_h is not None:
                self._put(series, number, at_ms + round(again_h * HOUR_MS))
        if told_ms is not None:
            self._put(series, 0, told_ms)

    def _put(self, series: Series, number: int, at_ms: int) -> None:
        at_ms = max(at_ms, START_MS)
        self._orders += 1
        self._bins[(at_ms - START_MS) // DAY_MS].append(Arrival(at_ms, self._orders, series, number))

    def _study_uid(self) -> str:
        self._studies += 1
        return f"2.999.{self._studies}"

    def _series_of(self, kind: h.Kind) -> int:
        """One and, geometrically, more."""
        return 1 + int(math.log(1 - self._chance.random()) / math.log(1 - 1 / kind.series))

    def _size(self, kind: h.Kind) -> int:
        at = self._chance.random() * h.QUANTILES[-1]
        low = bisect_right(h.QUANTILES, at) - 1
        part = (at - h.QUANTILES[low]) / (h.QUANTILES[low + 1] - h.QUANTILES[low])
        return round(kind.sizes[low] + part * (kind.sizes[low + 1] - kind.sizes[low]))

    # ---- times, in ms -----------------------------------------------------------------------------------

    def _acquired(self, kind: h.Kind, start_ms: float) -> list[list[float]]:
        """When the images of each series arrive."""
        chance = self._chance
        sizes = [self._size(kind) for _ in range(self._series_of(kind))]
        if chance.random() < kind.pace.share:
            return self._one_after_another(kind, sizes, start_ms, self._as_made(kind.pace))
        way = chance.random()
        if way >= h.AT_THE_END + h.INTERLEAVED:
            return self._one_after_another(kind, sizes, start_ms, self._burst)
        end = start_ms + sum(self._pause(kind) for _ in sizes)
        if way < h.INTERLEAVED:
            owners = [number for number, size in enumerate(sizes) for _ in range(size)]
            chance.shuffle(owners)
            made: list[list[float]] = [[] for _ in sizes]
            for owner, at in zip(owners, self._burst(end, len(owners)), strict=True):
                made[owner].append(at)
            return made
        together = self._burst(end, sum(sizes))
        return [[together.pop(0) for _ in range(size)] for size in sizes]

    def _one_after_another(
        self, kind: h.Kind, sizes: Sequence[int], at: float, send: Callable[[float, int], list[float]]
    ) -> list[list[float]]:
        made = []
        for size in sizes:
            made.append(send(at, size))
            at = made[-1][-1] + self._pause(kind)
        return made

    def _pause(self, kind: h.Kind) -> float:
        return 60_000 * kind.pause_min * self._chance.lognormvariate(0, 0.6)

    def _burst(self, at: float, size: int) -> list[float]:
        """An association's images, with its stalls."""
        chance = self._chance
        step = h.SENDER_MS * chance.lognormvariate(0, h.SENDER_SIGMA)
        times = []
        for _ in range(size):
            at += step * (0.5 + chance.random())
            if chance.random() < h.STALL:
                _, shortest, longest = chance.choices(h.STALLS_S, [each[0] for each in h.STALLS_S])[0]
                at += 1000 * chance.uniform(shortest, longest)
            times.append(at)
        return times

    def _as_made(self, pace: h.Pace) -> Callable[[float, int], list[float]]:
        def send(at: float, size: int) -> list[float]:
            times: list[float] = []
            while len(times) < size:
                times += self._burst(at, min(pace.group, size - len(times)))
                at = times[-1] + 1000 * pace.median_s * self._chance.lognormvariate(0, pace.sigma)
            return times

        return send

    def _late(self, end: float) -> list[float]:
        chance = self._chance
        if chance.random() >= h.LATE:
            return []
        at = end + 60_000 * h.LATE_MIN * chance.lognormvariate(0, h.LATE_SIGMA)
        return self._burst(at, chance.randint(1, h.LATE_MOST))


def _hours(chance: Random, median: float) -> float:
    return median * chance.lognormvariate(0, 1.0)


def _over_a_broken_line(at: float) -> float:
    """What is made while the line is down follows when it is up again, in order."""
    day, first_ms = divmod(at - START_MS, h.LINK_DOWN_DAYS * DAY_MS)
    down, up = (hour * HOUR_MS for hour in h.LINK_DOWN_H)
    if not down <= first_ms < up:
        return at
    return START_MS + day * h.LINK_DOWN_DAYS * DAY_MS + up + (first_ms - down) / h.FLUSH
