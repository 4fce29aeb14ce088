"""Markdown of the chapters as HTML: anchors, addresses of this site, code in figures, labelled cells, folded answers.

HTML in a chapter is an error, although these are the project's own files. Only comments are allowed; pages omit them.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from app.learn import code_blocks, drawing, sources
from app.settings import ROOT

REFERENCE = (
    "patterns",
    "comparisons",
    "coming-from",
    "port",
    "curl",
    "switched-off",
    "glossary",
    "problems",
    "other-tutorials",
)  # pages that are not chapters, in the order of the navigation
SITE = "http://localhost:8000"  # address of the running application, for readers of the Markdown
COURSE_SITE = "http://localhost:8001"  # address of the application that the course builds
PAGE = re.compile(rf"docs/(\d\d-[\w-]+|{'|'.join(REFERENCE)}|build/(\d\d-[\w-]+|README))\.md")
ADDRESSES = {"docs": "/learn", "docs/build": "/learn/build"}  # folder -> where its Markdown is served

ROW = re.compile(r"\[?(`|\*\*)(.+)\1(?:\]\([^)]*\))?")  # the first cell of a row that gets an id

# Links to the next chapter or to all steps, for readers of the Markdown; a page has its own.
TURN = re.compile(r"\n<!-- (next|steps) -->\n.*?<!-- /\1 -->\n", re.DOTALL)

PICTURES = {"mermaid": drawing.sequence, "frames": drawing.frames}  # language of a block -> what draws it
_parser = MarkdownIt("commonmark", {"html": True}).enable("table")


@dataclass(frozen=True, slots=True)
class Text:
    """`sections`: anchor -> heading."""

    html: Markup
    sections: dict[str, str]


def rendered(markdown: str, folder: str) -> Text:
    """A page of that folder. Errors: ValueError for HTML; LookupError for a link or a block that leads nowhere."""
    tokens = _parser.parse(code_blocks.filled(TURN.sub("", markdown)))
    body, sections = _prepared(_answers_folded(tokens[3:]), folder)  # the template has the heading
    return Text(Markup(_parser.renderer.render(body, _parser.options, {})), sections)  # noqa: S704 - HTML is an error


def inline(text: str) -> Markup:
    """One line of Markdown without its paragraph."""
    return Markup(_parser.renderInline(text))  # noqa: S704 - the project's own text


def _answers_folded(tokens: list[Token]) -> Iterator[Token]:
    """The tokens with each section `Answer` in a `details` element, so that nobody reads it too early."""
    inside = False
    found = iter(tokens)
    for token in found:
        if token.type == "heading_open" and token.tag == "h2":
            if inside:
                yield _html("</details>\n")
            heading = next(found)
            inside = heading.content == "Answer"
            if inside:
                yield _html('<details class="answer"><summary>Answer</summary>\n')
                next(found)
                continue
            yield token
            yield heading
        else:
            yield token
    if inside:
        yield _html("</details>\n")


def _html(text: str) -> Token:
    return Token("html_block", "", 0, content=text, meta={"ours": True})


def _prepared(found: Iterable[Token], folder: str) -> tuple[list[Token], dict[str, str]]:
    """The tokens with anchors, addresses of this site, code in figures and labelled table cells."""
    sections: dict[str, str] = {}
    kept, tokens = [], list(found)
    for place, token in enumerate(tokens):
        if token.type == "html_block" and _only_comment(token.content):
            continue
        if token.type == "heading_open" and token.tag == "h2":
            heading = tokens[place + 1].content.replace("`", "")
            token.attrs["id"] = anchor(heading)
            sections[str(token.attrs["id"])] = heading
        if token.type == "paragraph_open" and tokens[place + 1].content.startswith("Patterns: "):
            token.attrs["class"] = "chapter-patterns"
        if token.type == "table_open":
            token.attrs["class"] = "table"
        if token.type == "fence":
            token.type, token.content = "html_block", str(_figure(token.info, token.content))
        elif token.type == "html_block" and not token.meta.get("ours"):
            raise ValueError(f"HTML in a chapter: {token.content}")
        for child in token.children or ():
            if child.type == "link_open":
                child.attrs["href"] = _address(str(child.attrs["href"]), folder)
            elif child.type in ("html_inline", "image"):
                raise ValueError(f"HTML or a picture in a chapter: {child.content}")
        kept.append(token)
    _label_cells(kept)
    return kept, sections


def anchor(text: str) -> str:
    """The id of a heading or a row with this text."""
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
        elif before.type == "td_open" and column == 1 and (found := ROW.fullmatch(token.content)):
            row.attrs["id"] = anchor(found[2])


def _pairs(tokens: Iterable[Token]) -> Iterator[tuple[Token, Token]]:
    before = Token("", "", 0)
    for token in tokens:
        yield before, token
        before = token


def _figure(info: str, code: str) -> Markup:
    fence = code_blocks.parse(info, code)
    kind, name = fence.origin
    if draw := PICTURES.get(fence.language):
        caption = Markup("<figcaption>Drawn from a run of this application that a test repeats</figcaption>")
        return Markup('<figure class="code drawn">{}{}</figure>\n').format(caption, draw(code))
    shown = sources.highlight(code, fence.language)
    caption = {
        "source": lambda: _source_caption(name, fence.says.get("symbol", "")),
        "printed": lambda: Markup("Code of the documentation page"),
        "happened": lambda: Markup("Its output, recorded by a test"),
        "output": lambda: Markup("Recorded by a test"),
        "break": lambda: _break_caption(fence.says["file"], name),
        "create": lambda: Markup("New file: {}").format(name),
        "change": lambda: Markup("Change {}").format(name),
        "try": lambda: _tried(fence.language == "diff", name),
        "": lambda: Markup("Type this, and compare") if fence.language == "console" else Markup("Type this"),
    }[kind]()
    figure = Markup('<figure class="code code-{}"><figcaption>{}</figcaption>{}</figure>\n')
    look = "holds" if kind == "printed" and code_blocks.transcript(name)["holds"] else kind or "typed"
    return figure.format(look, caption, Markup('<pre tabindex="0"><code>{}</code></pre>').format(shown))


def _tried(changed: bool, name: str) -> Markup:
    return (Markup("Change {} for now") if changed else Markup("New file for now: {}")).format(name)


def _source_caption(name: str, symbols: str) -> Markup:
    line = sources.symbol(name, symbols.split(",")[0])[1]
    return Markup('<a href="{}">{}</a>, line {}').format(f"/learn/source/{name}#L{line}", name, line)


def _break_caption(name: str, test: str) -> Markup:
    file, _, function = test.partition("::")
    changed = Markup('<a href="/learn/source/{}">{}</a>').format(name, name)
    fails = Markup('<a href="{}">{}</a>').format(_address(f"../{file}#{function}"), function)
    return Markup("Change {}: then {} fails").format(changed, fails)


def _address(href: str, folder: str = "docs") -> str:
    """The address on this site for a link in the Markdown of that folder.

    `03-keys.md` is a chapter, `../app/x.py#name` a file at the line of that symbol, and SITE with a path is a page.
    Errors: LookupError for a file or a symbol that does not exist, ValueError for any other link.
    """
    if href.startswith(("https://", COURSE_SITE, "#")):
        return href
    if href.startswith(f"{SITE}/"):
        return href.removeprefix(SITE)
    path, _, fragment = href.partition("#")
    if path.startswith("/"):
        raise ValueError(f"a link must be ../file, NN-chapter.md, or {SITE}/page: {href}")
    name = posixpath.normpath(f"{folder}/{path}")
    where, _, file = name.rpartition("/")
    if name == "docs/patterns.md" and fragment:
        return f"/learn/patterns/{fragment}"
    if where in ADDRESSES and PAGE.fullmatch(name):
        return _page_address(name, where, file.removesuffix(".md")) + (f"#{fragment}" if fragment else "")
    if not (ROOT / name.partition("/")[0]).exists():  # an installation without tests
        return f"/learn/source/{name}"
    if fragment:
        return f"/learn/source/{name}#L{sources.symbol(name, fragment)[1]}"
    sources.text(name)
    return f"/learn/source/{name}"


def _page_address(name: str, folder: str, stem: str) -> str:
    if not (ROOT / name).is_file():
        raise LookupError(f"no chapter {name}")
    slug = stem[3:] if stem[:2].isdigit() else stem
    return ADDRESSES[folder] + ("" if slug == "README" else f"/{slug}")
