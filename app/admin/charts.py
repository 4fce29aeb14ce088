"""Bar charts as SVG shapes: computed here, drawn by `templates/admin/_charts.html`. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 600, 120  # of the drawing, in its own units
GAP = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One day. `x`, `y`, `width`, `height`: its rectangle, from the top left; `day` and `count`: what it says."""

    day: date
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Counts of days, oldest first."""

    title: str
    kind: str
    bars: Sequence[Bar]
    most: int
    total: int

    @property
    def in_words(self) -> str:
        """What somebody hears who cannot see it."""
        if not self.total:
            return f"None in {len(self.bars)} days."
        peak = max(self.bars, key=lambda bar: bar.count)
        return f"{self.total} in {len(self.bars)} days, at most {peak.count} on {peak.day.day} {peak.day:%B %Y}."

    @property
    def ticks(self) -> Sequence[tuple[int, float]]:
        """The values at the axis and how far from the top they stand: the most, half of it, and none."""
        values = [self.most, self.most // 2, 0] if self.most > 1 else [self.most, 0] if self.most else [0]
        return [(value, round(HEIGHT - (HEIGHT * value / self.most if self.most else 0), 1)) for value in values]


def bars(title: str, kind: str, counts: Sequence[tuple[date, int]]) -> Chart:
    """The chart of these days. The tallest bar takes all the height; a day with something is never without a bar."""
    most, step = max((count for _, count in counts), default=0), WIDTH / max(len(counts), 1)
    drawn = []
    for number, (day, count) in enumerate(counts):
        height = max(HEIGHT * count / most, 2) if count else 0
        drawn.append(
            Bar(day, count, round(number * step, 1), round(HEIGHT - height, 1), round(step - GAP, 1), round(height, 1))
        )
    return Chart(title, kind, drawn, most, sum(count for _, count in counts))
