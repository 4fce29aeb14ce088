"""Bars of ratios as an SVG that is readable in light and dark."""

from collections.abc import Mapping
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, BAR, GAP = 760, 250, 70, 18, 14
STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1b1b1b } .head { font-weight: 600 }
svg { background: #fff } .b0 { fill: #1d5fa8 } .b1 { fill: #8a8f98 } .b2 { fill: #b9a06a }
@media (prefers-color-scheme: dark) { svg { background: #15181c } text { fill: #ececec } .b0 { fill: #7db4f0 } }
"""


def drawn(ratios: Mapping[str, Mapping[str, float]]) -> str:
    """A group of bars for each question, one bar a side; the longest bar of a group takes the width."""
    parts, y = [], 8
    for question, row in ratios.items():
        y += BAR + GAP
        parts.append(f'<text class="head" x="0" y="{y - GAP // 2}">{escape(question)}</text>')
        for number, (name, ratio) in enumerate(row.items()):
            length = (WIDTH - LEFT - RIGHT) * ratio / max(row.values())
            parts.append(f'<text x="16" y="{y + BAR - 4}">{escape(name)}</text>')
            parts.append(f'<rect class="b{number}" x="{LEFT}" y="{y}" width="{length:.0f}" height="{BAR - 3}"/>')
            parts.append(f'<text x="{LEFT + length + 8:.0f}" y="{y + BAR - 4}">{ratio:.2f}</text>')
            y += BAR
    head = f'xmlns="http://www.w3.org/2000/svg" role="img" viewBox="-12 0 {WIDTH + 12} {y + GAP}"'
    label = "Shorter is better; 1 is this application."
    return f"""<svg {head} aria-label="{label}"><style>{STYLE}</style>{"".join(parts)}</svg>\n"""
