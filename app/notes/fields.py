"""What a note's fields may hold; the same for pages and JSON."""

from typing import Annotated

from app.web.forms import Line, Lines

Title = Annotated[str, Line(1, 120)]
Body = Annotated[str, Lines(0, 20_000)]
