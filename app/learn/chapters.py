"""The chapters: docs/NN-name.md, read and rendered. Their code is taken from the live source at every look.

Our own files, and still nothing in them is trusted to be HTML: only comments may stand there, and they are dropped.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from app.learn import code_blocks, sources
from app.settings import ROOT, get_settings

DOCS = ROOT / "docs"
SITE = "http://localhost:8000"  # where a chapter read on a code host finds the running application
WORDS_A_MINUTE, LINES_A_MINUTE = 200, 40

TURN = re.compile(
    r"\n<!-- next -->\n.*?<!-- /next -->\n", re.DOTALL
)  # for readers on a code host; pages have their own

_parser = MarkdownIt("commonmark", {"html": True}).enable("table")


@dataclass(frozen=True)
class Chapter:
    """`slug` is its address, `number` its place; 0 for a page that is no chapter."""

    path: Path
    slug: str
    number: int
    title: str
    patterns: tuple[str, ...]
    minutes: int

    @cached_property
    def text(self) -> "Text":
        """Rendered when it is asked for: a list of chapters needs none."""
        return _rendered(self.path.read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Text:
    """`sections`: anchor -> heading."""

    html: Markup
    sections: dict[str, str]


def chapters() -> list[Chapter]:
    """All of them, in reading order."""
    return [_page(path) for path in sorted(DOCS.glob("[0-9][0-9]-*.md"))]


def turned(chapter: Chapter, markdown: str) -> str:
    """The chapter's Markdown with the way to the next one at its end."""
    every = chapters()
    after = every[chapter.number : chapter.number + 1]
    lines = [f"\n<!-- next -->\nNext: [{each.title}]({each.path.name})\n<!-- /next -->\n" for each in after]
    return TURN.sub("", markdown) + "".join(lines)


def other_page(name: str) -> Chapter:
    """A page of docs/ that is no chapter, such as `patterns`."""
    return _page(DOCS / f"{name}.md")


def _page(path: Path) -> Chapter:
    return _read(path) if get_settings().is_development else _kept(path)


@cache
def _kept(path: Path) -> Chapter:
    return _read(path)


def _read(path: Path) -> Chapter:
    markdown = path.read_text("utf-8")
    number, _, name = path.stem.partition("-")
    return Chapter(
        path=path,
        slug=name or number,
        number=int(number) if name else 0,
        title=markdown.partition("\n")[0].removeprefix("# "),
        patterns=tuple(re.findall(r"`([a-z-]+)`", _paragraph(markdown, "Patterns: "))),
        minutes=_minutes(markdown),
    )


def _rendered(markdown: str) -> Text:
    tokens = _parser.parse(code_blocks.filled(TURN.sub("", markdown)))
    body, sections = _dressed(tokens[3:])  # the heading stands in the template
    return Text(Markup(_parser.renderer.render(body, _parser.options, {})), sections)  # noqa: S704 - no HTML but its own


def _paragraph(markdown: str, start: str) -> str:
    return next((paragraph for paragraph in markdown.split("\n\n") if paragraph.startswith(start)), "")


def _minutes(markdown: str) -> int:
    code = sum(fence.body.count("\n") for fence in code_blocks.all_in(markdown))
    words = len(code_blocks.FENCE.sub("", markdown).split())
    return max(1, round(words / WORDS_A_MINUTE + code / LINES_A_MINUTE))


def _dressed(tokens: list[Token]) -> tuple[list[Token], dict[str, str]]:
    """The tokens as the page needs them: anchors, addresses of the site, code in figures, tables that fit a phone."""
    sections: dict[str, str] = {}
    kept = []
    for place, token in enumerate(tokens):
        if token.type == "html_block" and _only_comment(token.content):
            continue
        if token.type == "heading_open" and token.tag == "h2":
            heading = tokens[place + 1].content.replace("`", "")
            token.attrs["id"] = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")
            sections[str(token.attrs["id"])] = heading
        if token.type == "paragraph_open" and tokens[place + 1].content.startswith("Patterns: "):
            token.attrs["class"] = "chapter-patterns"
        if token.type == "table_open":
            token.attrs["class"] = "table"
        if token.type == "fence":
            token.type, token.content = "html_block", str(_figure(token.info, token.content))
        elif token.type == "html_block":
            raise ValueError(f"HTML in a chapter: {token.content}")
        for child in token.children or ():
            if child.type == "link_open":
                child.attrs["href"] = _address(str(child.attrs["href"]))
            elif child.type in ("html_inline", "image"):
                raise ValueError(f"HTML or a picture in a chapter: {child.content}")
        kept.append(token)
    _label_cells(kept)
    return kept, sections


def _only_comment(html: str) -> bool:
    return bool(re.fullmatch(r"\s*<!--.*?-->\s*", html, re.DOTALL))


def _label_cells(tokens: Iterable[Token]) -> None:
    """Each cell says its column: on a phone the head of the table is not shown. Rows are found by their first word."""
    heads: list[str] = []
    column, row = 0, Token("", "", 0)
    for before, token in _pairs(tokens):
        if token.type == "table_open":
            heads = []
        elif token.type == "tr_open":
            column, row = 0, token
        elif token.type == "inline" and before.type == "th_open":
            heads.append(token.content)
        elif token.type == "td_open":
            token.attrs["data-label"] = heads[column]
            column += 1
        elif before.type == "td_open" and column == 1 and (found := re.fullmatch(r"`([a-z-]+)`", token.content)):
            row.attrs["id"] = found[1]


def _pairs(tokens: Iterable[Token]) -> Iterator[tuple[Token, Token]]:
    before = Token("", "", 0)
    for token in tokens:
        yield before, token
        before = token


def _figure(info: str, code: str) -> Markup:
    fence = code_blocks.parse(info, code)
    kind, name = fence.origin
    shown = sources.highlight(code, fence.language)
    caption = {
        "source": lambda: _source_caption(name, fence.says.get("symbol", "")),
        "printed": lambda: Markup("As the documentation page writes it"),
        "happened": lambda: Markup("What happens, recorded by a test"),
        "output": lambda: Markup("Recorded by a test"),
        "break": lambda: _break_caption(fence.says["file"], name),
        "": lambda: Markup("For you to type"),
    }[kind]()
    figure = Markup('<figure class="code code-{}"><figcaption>{}</figcaption>{}</figure>\n')
    look = "holds" if kind == "printed" and code_blocks.transcript(name)["holds"] else kind or "typed"
    return figure.format(look, caption, Markup('<pre tabindex="0"><code>{}</code></pre>').format(shown))


def _source_caption(name: str, symbols: str) -> Markup:
    line = sources.symbol(name, symbols.split(",")[0])[1]
    return Markup('<a href="{}">{}</a>, line {}').format(f"/learn/source/{name}#L{line}", name, line)


def _break_caption(name: str, test: str) -> Markup:
    file, _, function = test.partition("::")
    changed = Markup('<a href="/learn/source/{}">{}</a>').format(name, name)
    fails = Markup('<a href="{}">{}</a>').format(_address(f"../{file}#{function}"), function)
    return Markup("Change {}, and {} fails").format(changed, fails)


def _address(href: str) -> str:
    """Where a link of the Markdown leads on this site.

    `03-keys.md` is a chapter, `../app/x.py#name` a file at the line of that name, SITE and a path a page of ours.
    Errors: LookupError for a file or a name that is not there, ValueError for a link that is none of these.
    """
    if href.startswith(("https://", "#")):
        return href
    if href.startswith(f"{SITE}/"):
        return href.removeprefix(SITE)
    path, _, fragment = href.partition("#")
    if path.endswith(".md") and "/" not in path:
        if not (DOCS / path).is_file():
            raise LookupError(f"no chapter {path}")
        name = path.removesuffix(".md")
        return f"/learn/{name[3:] if name[:2].isdigit() else name}" + (f"#{fragment}" if fragment else "")
    if not path.startswith("../"):
        raise ValueError(f"a link must be ../file, NN-chapter.md, or {SITE}/page: {href}")
    name = PurePosixPath(path).relative_to("..").as_posix()
    if not (ROOT / name.partition("/")[0]).exists():  # an installation without tests
        return f"/learn/source/{name}"
    if fragment:
        return f"/learn/source/{name}#L{sources.symbol(name, fragment)[1]}"
    sources.text(name)
    return f"/learn/source/{name}"
