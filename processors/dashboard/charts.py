"""Bars as SVG: pygal's door.

Rules of this file: numbers in, one `<svg>` element out, without scripts, styles or ids, so that the page's
own style sheet colours it, light and dark, under a strict Content-Security-Policy. A chart is a picture
beside its table: what it says to a screen reader is said by the page.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pygal
from markupsafe import Markup

sys.meta_path[:] = [each for each in sys.meta_path if not isinstance(each, pygal.PluginImportFixer)]
"""pygal's way to find its maps is asked for every import of the program, in a form that Python gave up."""

_DROPPED = frozenset({"script", "style", "defs", "desc", "title"})
_TOOLTIPS = "tooltip-overlay"


def stacked_bars(
    labels: Sequence[str], series: Mapping[str, Sequence[float]], every: int, width: int
) -> Markup:
    """A column a label, a part a series, which the legend names; every so many columns have their label."""
    chart = pygal.StackedBar(
        _config(width, len(series)), x_labels_major_every=every, show_minor_x_labels=False
    )
    for name, values in series.items():
        chart.add(name, values)
    return _drawn(chart, labels)


def bars(labels: Sequence[str], values: Sequence[float], width: int) -> Markup:
    chart = pygal.Bar(_config(width, legend=0))
    chart.add("", values)
    return _drawn(chart, labels)


def _config(width: int, legend: int) -> Any:
    """`legend`: how many names it has."""
    return pygal.Config(
        css=[],
        js=[],
        classes=["chart"],
        disable_xml_declaration=True,
        no_prefix=True,
        no_data_text="nothing yet",
        show_legend=legend > 0,
        legend_at_bottom=True,
        legend_at_bottom_columns=max(legend, 1),
        truncate_label=-1,
        truncate_legend=-1,
        width=width,
        height=220,
        margin=8,
        min_scale=2,
        max_scale=5,
        range=None,
        include_x_axis=True,
        value_formatter=lambda value: f"{value:g}",
    )


def _drawn(chart: Any, labels: Sequence[str]) -> Markup:
    chart.x_labels = labels
    chart.add_xml_filter(_bare)
    return Markup(chart.render(is_unicode=True))  # noqa: S704 (an XML writer escaped every text)


def _bare(root: Any) -> Any:
    for parent in list(root.iter()):
        for child in list(parent):
            if _is_superfluous(child):
                parent.remove(child)
        for name in ("id", "style"):
            parent.attrib.pop(name, None)
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    return root


def _is_superfluous(element: Any) -> bool:
    """Comments, scripts, styles, tooltips, and bars of no height."""
    if not isinstance(element.tag, str) or element.tag in _DROPPED:
        return True
    bar = element.find("rect") if element.get("class") == "bar" else None
    empty = bar is not None and float(bar.get("height", "1")) == 0
    return empty or _TOOLTIPS in element.get("class", "")
