"""Search over chapters, steps and reference: every section of the Markdown, and every pattern. No service, no script.

The sections are read by the first search and kept; in development a file that changes is read again after a restart.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from markupsafe import Markup

from app.learn import chapters, markdown, pattern_pages
from app.learn.chapters import Chapter

LONGEST, MOST_WORDS, MOST_RESULTS = 100, 8, 30  # characters and words of a query, and results
BEFORE, AFTER = 70, 130  # characters around the first word that is found
MARKUP = re.compile(r"<!--.*?-->|^```[^\n]*$|\]\([^)]*\)|[`*\[\]|>]|-{3,}", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Section:
    """`title` of the page, `heading` in it ("" for its beginning), and where that is."""

    kind: str
    title: str
    heading: str
    address: str
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    section: Section
    excerpt: Markup


def words(query: str) -> list[str]:
    return re.findall(r"[\w-]+", query[:LONGEST].casefold())[:MOST_WORDS]


def find(query: str) -> list[Result]:
    """The sections that have every word, or a word that begins with it; the best ones first."""
    wanted = words(query)
    if not wanted:
        return []
    begins = [re.compile(rf"(?<!\w){re.escape(word)}", re.IGNORECASE) for word in wanted]
    ranked = [
        (score, place) for place, section in enumerate(sections()) if (score := _score(section, begins)) is not None
    ]
    ranked.sort(key=lambda found: (-found[0], found[1]))
    return [
        Result(found, _excerpt(found.text, begins)) for found in (sections()[at] for _, at in ranked[:MOST_RESULTS])
    ]


@cache
def sections() -> list[Section]:
    found: list[Section] = []
    for kind, pages in (
        ("Chapter", chapters.chapters()), ("Step", chapters.steps()), ("Reference", chapters.reference()),
    ):  # fmt: skip
        for page in pages:
            found += _of_page(kind, page)
    for name, shown in pattern_pages.pages().items():
        forms = [form for form in (shown.printed, shown.right) if form]
        text = " ".join([shown.pattern.what, shown.pattern.fails, shown.pattern.here, *(form.output for form in forms)])
        found.append(Section("Pattern", name, "", f"/learn/patterns/{name}", MARKUP.sub(" ", text)))
    return found


def _of_page(kind: str, page: Chapter) -> Iterator[Section]:
    text = markdown.TURN.sub("", page.path.read_text("utf-8")).partition("\n")[2]
    address = chapters.address(page)
    for part in re.split(r"^## ", text, flags=re.MULTILINE):
        first, _, rest = part.partition("\n")
        beginning = part is text or text.startswith(part)
        heading = "" if beginning else first.replace("`", "")
        anchor = f"#{markdown.anchor(heading)}" if heading and heading != "Answer" else ""
        yield Section(kind, page.title, heading, address + anchor, MARKUP.sub(" ", part if beginning else rest))


def _score(section: Section, begins: list[re.Pattern[str]]) -> int | None:
    """None if a word is missing. A word in the title counts most, then one in the heading."""
    score = 0
    for word in begins:
        hits = len(word.findall(section.text))
        titled, headed = bool(word.search(section.title)), bool(word.search(section.heading))
        if not hits and not titled and not headed:
            return None
        score += min(hits, 5) + 12 * headed + (20 if titled and not section.heading else 6 * titled)
        score += 20 * (section.kind != "Pattern" and bool(word.fullmatch(section.title)) and not section.heading)
    return score


def _excerpt(text: str, begins: list[re.Pattern[str]]) -> Markup:
    flat = " ".join(text.split())
    first = next((found.start() for word in begins if (found := word.search(flat))), 0)
    start = max(0, first - BEFORE)
    shown = flat[start : first + AFTER]
    marked, at = Markup(), 0
    for found in re.finditer("|".join(word.pattern for word in begins), shown, re.IGNORECASE):
        end = found.end() + len(re.match(r"\w*", shown[found.end() :])[0])  # type: ignore[index]
        marked += shown[at : found.start()] + Markup("<mark>{}</mark>").format(shown[found.start() : end])
        at = end
    return (Markup("… ") if start else Markup()) + marked + shown[at:] + (" …" if first + AFTER < len(flat) else "")
