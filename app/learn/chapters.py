"""The chapters: docs/NN-name.md, read and rendered with code from the current source.

A chapter with HTML is an error, although these are the project's own files. Only comments are allowed; pages omit them.
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
REFERENCE = ("patterns", "glossary", "problems")  # pages that are not chapters, in the order of the navigation
SITE = "http://localhost:8000"  # address of the running application, for readers of the Markdown
WORDS_A_MINUTE, LINES_A_MINUTE = 200, 40

# The link to the next chapter, for readers of the Markdown; a page has its own.
TURN = re.compile(r"\n<!-- next -->\n.*?<!-- /next -->\n", re.DOTALL)

_parser = MarkdownIt("commonmark", {"html": True}).enable("table")


@dataclass(frozen=True)
class Chapter:
    """`slug`: last part of its address. `number`: position, 0 if it is not a chapter. `minutes`: reading time."""

    path: Path
    slug: str
    number: int
    title: str
    patterns: tuple[str, ...]
    minutes: int

    @cached_property
    def text(self) -> "Text":
        """Rendered on first use; a list of chapters does not need it."""
        return _rendered(self.path.read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Text:
    """`sections`: anchor -> heading."""

    html: Markup
    sections: dict[str, str]


def chapters() -> list[Chapter]:
    """All chapters in reading order."""
    return [_page(path) for path in sorted(DOCS.glob("[0-9][0-9]-*.md"))]


def turned(chapter: Chapter, markdown: str) -> str:
    """The chapter's Markdown with a link to the next chapter at its end."""
    every = chapters()
    after = every[chapter.number : chapter.number + 1]
    lines = [f"\n<!-- next -->\nNext: [{each.title}]({each.path.name})\n<!-- /next -->\n" for each in after]
    return TURN.sub("", markdown) + "".join(lines)


def reference() -> list[Chapter]:
    """The reference pages of the tutorial."""
    return [_page(DOCS / f"{name}.md") for name in REFERENCE]


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
    body, sections = _prepared(tokens[3:])  # the template has the heading
    return Text(Markup(_parser.renderer.render(body, _parser.options, {})), sections)  # noqa: S704 - HTML is an error


def _paragraph(markdown: str, start: str) -> str:
    return next((paragraph for paragraph in markdown.split("\n\n") if paragraph.startswith(start)), "")


def _minutes(markdown: str) -> int:
    code = sum(fence.body.count("\n") for fence in code_blocks.all_in(markdown))
    words = len(code_blocks.FENCE.sub("", markdown).split())
    return max(1, round(words / WORDS_A_MINUTE + code / LINES_A_MINUTE))


def _prepared(tokens: list[Token]) -> tuple[list[Token], dict[str, str]]:
    """The tokens with anchors, addresses of this site, code in figures and labelled table cells."""
    sections: dict[str, str] = {}
    kept = []
    for place, token in enumerate(tokens):
        if token.type == "html_block" and _only_comment(token.content):
            continue
        if token.type == "heading_open" and token.tag == "h2":
            heading = tokens[place + 1].content.replace("`", "")
            token.attrs["id"] = _anchor(heading)
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


def _anchor(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _only_comment(html: str) -> bool:
    return bool(re.fullmatch(r"\s*<!--.*?-->\s*", html, re.DOTALL))


def _label_cells(tokens: Iterable[Token]) -> None:
    """Label each cell with its column, because a phone does not show the table's head. Set the ids of rows."""
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
        elif before.type == "td_open" and column == 1 and (found := re.fullmatch(r"(`|\*\*)(.+)\1", token.content)):
            row.attrs["id"] = _anchor(found[2])


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
        "printed": lambda: Markup("Code of the documentation page"),
        "happened": lambda: Markup("Its output, recorded by a test"),
        "output": lambda: Markup("Recorded by a test"),
        "break": lambda: _break_caption(fence.says["file"], name),
        "": lambda: Markup("Type this"),
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
    return Markup("Change {}: then {} fails").format(changed, fails)


def _address(href: str) -> str:
    """The address on this site for a link in the Markdown.

    `03-keys.md` is a chapter, `../app/x.py#name` a file at the line of that symbol, and SITE with a path is a page.
    Errors: LookupError for a file or a symbol that does not exist, ValueError for any other link.
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
