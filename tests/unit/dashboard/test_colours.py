"""What the style sheet says of its colours: contrasts as WCAG 2.2 counts them (1.4.3, 1.4.11)."""

from __future__ import annotations

import re

import pytest

from processors.dashboard.site import STATIC

LIGHT, DARK = (
    dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block))
    for block in re.findall(r":root \{(.*?)\n *\}", (STATIC / "page.css").read_text("utf-8"), re.DOTALL)
)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_is_wcag_s() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_and_shapes_stand_out(colours: dict[str, str]) -> None:
    assert colours.keys() == LIGHT.keys()
    for ground in ("page", "card"):
        for text in ("text", "quiet", "link", "bad"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        assert contrast(colours["focus"], colours[ground]) >= 3, ground
    for number in range(8):
        assert contrast(colours[f"c{number}"], colours["card"]) >= 3, number
