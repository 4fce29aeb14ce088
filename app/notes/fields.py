"""What a note's fields may hold; the same for pages and JSON."""

from typing import Annotated, Literal, get_args

from app.web.filters import Day
from app.web.forms import Line, Lines

Title = Annotated[str, Line(1, 120)]
Body = Annotated[str, Lines(0, 20_000)]
Status = Literal["open", "in_progress", "done"]
DueOn = Day  # None: on no day

STATUSES: dict[str, str] = {status: status.replace("_", " ").capitalize() for status in get_args(Status)}  # -> in words
