"""The pictures: drawn from the recorded text, with every step in the picture and in the words."""

import re
from html import unescape

import pytest

from app.learn import chapters, code_blocks, drawing

DRAWN = [
    (f"{chapter.slug} {fence.origin[1]}", fence.language, fence.body)
    for chapter in chapters.chapters()
    for fence in code_blocks.all_in(chapter.path.read_text())
    if fence.language in ("mermaid", "frames")
]
SEQUENCES = {name: body for name, language, body in DRAWN if language == "mermaid"}
STORIES = {"sign-in", "resume-page", "resume-form", "two-tabs", "lost-answer", "theft", "revocation", "device-binding",
           "mailed-link", "generations"}  # fmt: skip


def text_of(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "\n", html))


def test_every_story_stands_in_a_chapter_once() -> None:
    assert sorted(name.partition(" picture-")[2] for name, _, _ in DRAWN) == sorted(STORIES)


@pytest.mark.parametrize("body", SEQUENCES.values(), ids=SEQUENCES)
def test_picture_and_words_have_every_step(body: str) -> None:
    diagram = drawing.parse(body)

    html = drawing.sequence(body)

    picture, _, words = html.partition("<details")
    for name in diagram.names.values():
        assert name in text_of(picture)
    for step in diagram.steps:
        said = step.lines if isinstance(step, drawing.Remark) else [step.text, step.carries]
        for piece in said:
            assert piece in text_of(picture)
            assert piece in text_of(words)
    assert words.count("<li>") == len(diagram.steps)
    assert "style=" not in html


@pytest.mark.parametrize("body", SEQUENCES.values(), ids=SEQUENCES)
def test_nothing_is_drawn_outside_the_picture(body: str) -> None:
    html = drawing.sequence(body)

    width, height = (int(number) for number in re.findall(r'viewBox="0 0 (\d+) (\d+)"', html)[0])
    for x, y, text in re.findall(r'<text class="[^"]*" x="(\d+)" y="(\d+)">([^<]*)</text>', html):
        half = len(unescape(text)) * drawing.CHARACTER / 2
        assert half <= int(x) <= width - half, text
        assert 0 < int(y) < height


def test_frames_are_steps_with_links_to_their_neighbours() -> None:
    [body] = [body for _, language, body in DRAWN if language == "frames"]

    html = drawing.frames(body)

    count = len(body.strip().splitlines())
    assert re.findall(r'<li class="frame" id="step-(\d+)"', html) == [str(number) for number in range(1, count + 1)]
    assert html.count(">Next</a>") == html.count(">Back</a>") == count - 1
    assert html.count('class="pair ended"') == 3


@pytest.mark.parametrize(
    "text",
    ["graph TD", "sequenceDiagram\nB=>>A: x", "sequenceDiagram\nparticipant B as Browser\nactivate B"],
)
def test_line_of_another_language_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        drawing.parse(text)


def test_markup_in_a_story_is_text() -> None:
    html = drawing.sequence("sequenceDiagram\nparticipant B as <b>\nparticipant A as A\nB->>A: GET /<script>")

    assert "<script>" not in html
    assert "<b>" not in html
