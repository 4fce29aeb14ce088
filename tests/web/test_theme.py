"""static/theme.css: whatever colours stand there can be read, on pages and in e-mails."""

import re

import pytest

from app.settings import ROOT
from app.web import templates, theme

SURFACES = ("paper", "card", "sunken")
# Text -> what it stands on. WCAG 2.2, 1.4.3: 4.5 to 1.
TEXTS = {
    "ink": SURFACES, "ink-soft": SURFACES, "link": SURFACES, "on-accent": ("accent", "accent-deep"),
    "on-band": ("band",), "on-error": ("error",), "on-strap": ("strap",),
    **{state: (*SURFACES, f"{state}-wash") for state in ("success", "info", "warning", "error")},
}  # fmt: skip
# Borders of fields and buttons, the ring of the focus, the mark of a tab. 1.4.11: 3 to 1.
SHAPES = {"edge": SURFACES, "link": SURFACES, "accent": ("card", "paper")}
SCHEMES = {"light": 0, "dark": 1}
WANTED = [(4.5, *pair) for pair in TEXTS.items()] + [(3.0, *pair) for pair in SHAPES.items()]


def luminance(colour: str) -> float:
    """WCAG 2.2, definition of relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_colours_have_the_contrast_that_reading_needs(scheme: str) -> None:
    colours = theme.colours()[SCHEMES[scheme]]

    weak = {
        f"--{name} on --{ground}: {found:.2f}, wanted {least}"
        for least, name, grounds in WANTED
        for ground in grounds
        if (found := contrast(colours[name], colours[ground])) < least
    }

    assert not weak


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the grey that just fails


@pytest.mark.parametrize(
    ("numbers", "hexadecimal"),
    [
        ((1, 0, 0), "#ffffff"), ((0, 0, 0), "#000000"), ((0.62796, 0.25768, 29.234), "#ff0000"),
        ((0.51975, 0.17686, 142.495), "#008000"),
    ],
)  # fmt: skip
def test_colour_is_the_one_that_browsers_show(numbers: tuple[float, float, float], hexadecimal: str) -> None:
    """The examples of CSS Color Module Level 4."""
    assert theme._hexadecimal(*numbers) == hexadecimal


def test_every_colour_of_the_file_is_read() -> None:
    """One in another form would be missing from e-mails and from this test."""
    named = set(re.findall(r"--([\w-]+):", theme.FILE.read_text("utf-8")))

    assert named == set(theme.colours()[0]) | set(theme.corners())


def test_emails_have_the_colours_of_the_pages() -> None:
    html = templates.environment(ROOT / "templates").get_template("email/frame.html")

    shown = html.render(subject="Hello", paragraphs=[], foot="Lanyard")

    light, dark = theme.colours()
    assert set(re.findall(r"#[0-9a-f]{6}", shown)) <= set(light.values()) | set(dark.values())
    assert f"background-color: {light['paper']}" in shown
    assert f"background-color: {dark['paper']}" in shown
