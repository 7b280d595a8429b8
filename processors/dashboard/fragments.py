"""The figures as pieces of HTML, by the id of the element they belong in.

Rules of this file: layout is the templates', which escape every text; here is what they are given. The same
pieces make the first page and are pushed when they change.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from processors.dashboard.board import BIN_S, SETTLE_S
from processors.dashboard.charts import bars, stacked_bars
from processors.dashboard.feed import Now
from processors.dashboard.in_flight import clock_of
from processors.operations.explain import RULES

NAMES = (
    "numbers",
    "flight",
    "rate",
    "kinds",
    "settle",
    "rules",
    "recent",
    "letters",
    "warnings",
    "lag",
    "problem",
)
"""Macros of `fragments.html` and ids of the page's elements."""

MINUTE_S = 60


@cache
def templates() -> Environment:
    """Every text is escaped; a name that is not given is an error."""
    loader = PackageLoader("processors.dashboard")
    environment = Environment(
        loader=loader,
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clock"] = clock_of
    return environment


def fragments(now: Now, at_ms: int) -> dict[str, Markup]:
    """All of NAMES, and `said`: the page in one sentence, for those who listen to it."""
    figures = _figures(now, at_ms)
    macros: Any = templates().get_template("fragments.html").module
    made = {name: Markup(getattr(macros, name)(figures)) for name in NAMES}  # noqa: S704 (macros escape)
    made["said"] = Markup(macros.said(figures))  # noqa: S704
    return made


def _figures(now: Now, at_ms: int) -> dict[str, Any]:
    board = now.board
    rate = board.rate(at_ms)
    last_minute: Counter[tuple[str, str]] = Counter()
    for age_s, counts in rate:
        if age_s < MINUTE_S:
            last_minute.update(counts)
    return {
        "board": board,
        "revisions": sum(board.changes.values()),
        "changes": sorted(board.changes.items()),
        "waiting": now.in_flight.waiting(),
        "waiting_count": len(now.in_flight),
        "rate_chart": _rate_chart(rate),
        "per_second": sum(last_minute.values()) / MINUTE_S,
        "kinds": [(key, last_minute[key] / MINUTE_S, count) for key, count in sorted(board.kinds.items())],
        "settle_chart": bars([f"≤ {end:g}" for end in SETTLE_S] + ["more"], board.settle, width=420),
        "settle": list(zip(_settle_labels(), board.settle, strict=True)),
        "median_settle_s": board.median_settle_s,
        "rules": [(rule, RULES[rule], board.rules[rule]) for rule in RULES],
        "closed": sum(board.rules.values()),
        "dead": sum(board.dead_letters.values()),
        "lag": sorted(now.lag.items()) if now.lag is not None else None,
        "behind": sum(now.lag.values()) if now.lag is not None else None,
        "problem": now.problem,
    }


def _rate_chart(rate: list[tuple[int, Counter[tuple[str, str]]]]) -> Markup:
    """Revisions a second by kind; the columns are BIN_S wide."""
    kinds = sorted({kind for _, counts in rate for kind, _ in counts})
    series = {
        kind: [sum(n for (each, _), n in counts.items() if each == kind) / BIN_S for _, counts in rate]
        for kind in kinds
    }
    labels = [f"-{age_s} s" if age_s else "now" for age_s, _ in rate]
    return stacked_bars(labels, series, every=8, width=720)


def _settle_labels() -> list[str]:
    return [f"≤ {end:g} s" for end in SETTLE_S] + [f"> {SETTLE_S[-1]:g} s"]
