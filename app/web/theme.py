"""The colours and corners of `static/theme.css` as e-mails need them: hexadecimal, and pixels.

Programs that show e-mail know neither custom properties nor oklch().
Source: CSS Color Module Level 4, sections 9.3 and 10.
"""

import re
from functools import cache
from math import cos, radians, sin

from app.settings import ROOT

FILE = ROOT / "static" / "theme.css"
DARK = "@media screen and (prefers-color-scheme: dark)"
COLOUR = re.compile(r"--([\w-]+): oklch\(([\d.]+) ([\d.]+) ([\d.]+)\);")
CORNER = re.compile(r"--(round[\w-]*): ([\d.]+)rem;")
PIXELS = 16  # of a rem
Colours = dict[str, str]


@cache
def colours() -> tuple[Colours, Colours]:
    """Name -> `#rrggbb`, in light and in dark. Dark has every name, because what it leaves out is that of light."""
    light, _, dark = FILE.read_text("utf-8").partition(DARK)
    shown = _colours(light)
    return shown, shown | _colours(dark)


@cache
def corners() -> dict[str, int]:
    """Name -> radius in pixels."""
    return {name: round(float(rem) * PIXELS) for name, rem in CORNER.findall(FILE.read_text("utf-8"))}


def _colours(css: str) -> Colours:
    return {name: _hexadecimal(*map(float, numbers)) for name, *numbers in COLOUR.findall(css)}


def _hexadecimal(lightness: float, chroma: float, hue: float) -> str:
    """A colour outside of sRGB is cut off at its edge."""
    return "#" + "".join(f"{round(255 * each):02x}" for each in _srgb(lightness, chroma, hue))


def _srgb(lightness: float, chroma: float, hue: float) -> list[float]:
    a, b = chroma * cos(radians(hue)), chroma * sin(radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    return [_gamma(min(1.0, max(0.0, each))) for each in linear]


def _gamma(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
