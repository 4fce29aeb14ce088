"""Pictures of the chapters as SVG: sequence diagrams, and the generations of a session step by step.

A picture is drawn from the text that tests/learn/stories.py records, so it is as true as that text, and the words
beside it say the same. SVG with classes alone: the Content-Security-Policy forbids inline styles. Errors: ValueError
for a line that is not of these small languages.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

CHARACTER, LINE, HEAD, MARGIN = 8, 18, 34, 12  # pixels: width of a character, heights, and what is left free
NARROWEST = 150  # pixels between two participants
PARTICIPANT = re.compile(r"participant (\w) as (.+)")
MESSAGE = re.compile(r"(\w)(->>|-->>|--x)(\w): ([^\[]+?)(?: \[(.+)\])?(?:, (lost on the way))?")
NOTE = re.compile(r"Note over (\w): (.+)")
FRAME = re.compile(
    r"(?P<text>.+): generation (?P<generation>\d+), confirmed (?P<confirmed>\d+), browser (?P<browser>\d+)"
    r"(?:, attacker (?P<attacker>\d+))?(?P<ended>, ended)?"
)


@dataclass(frozen=True, slots=True)
class Message:
    source: str
    target: str
    text: str
    carries: str
    answer: bool
    lost: bool


@dataclass(slots=True)
class Remark:
    over: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Sequence:
    """`names`: sign -> participant, from left to right."""

    names: dict[str, str]
    steps: list[Message | Remark]


def parse(text: str) -> Sequence:
    first, *lines = [line.strip() for line in text.strip().splitlines()]
    if first != "sequenceDiagram":
        raise ValueError(f"not a sequence diagram: {first}")
    names: dict[str, str] = {}
    steps: list[Message | Remark] = []
    for line in lines:
        if found := PARTICIPANT.fullmatch(line):
            names[found[1]] = found[2]
        elif found := NOTE.fullmatch(line):
            last = steps[-1] if steps else None
            if isinstance(last, Remark) and last.over == found[1]:
                last.lines.append(found[2])
            else:
                steps.append(Remark(found[1], [found[2]]))
        elif found := MESSAGE.fullmatch(line):
            source, arrow, target, said, carries, lost = found.groups()
            steps.append(Message(source, target, said, carries or "", arrow != "->>", bool(lost)))
        else:
            raise ValueError(f"not a line of a sequence diagram: {line}")
    return Sequence(names, steps)


def sequence(text: str) -> Markup:
    """The diagram in a box that scrolls by itself, and the same story in words."""
    diagram = parse(text)
    said = Markup("").join(Markup("<li>{}</li>").format(line) for line in words(diagram))
    label = f"Sequence diagram of {', '.join(diagram.names.values())}; its steps follow in words"
    return Markup(
        '<div class="picture" tabindex="0" role="group" aria-label="{}">{}</div>'
        '<details class="picture-words"><summary>In words</summary><ol>{}</ol></details>'
    ).format(label, _svg(diagram, label), said)


def words(diagram: Sequence) -> Iterator[str]:
    names = diagram.names
    for step in diagram.steps:
        if isinstance(step, Remark):
            yield f"{names[step.over]}: {'; '.join(step.lines)}."
        else:
            verb = "answers" if step.answer else "sends to"
            carried = f" with {step.carries}" if step.carries else ""
            lost = ", which gets lost on the way" if step.lost else ""
            yield f"{names[step.source]} {verb} {names[step.target]}: {step.text}{carried}{lost}."


def _svg(diagram: Sequence, label: str) -> Markup:
    at = _columns(diagram)
    pieces: list[Markup] = []
    y = HEAD + 2 * MARGIN
    for step in diagram.steps:
        if isinstance(step, Remark):
            pieces.append(_note(step, at[step.over], y))
            y += len(step.lines) * LINE + 2 * MARGIN
        else:
            y += LINE
            pieces.append(_message(step, at[step.source], at[step.target], y))
            y += LINE + MARGIN if step.carries else MARGIN
    half = [max(len(name) * CHARACTER / 2 + MARGIN, 40) for name in diagram.names.values()]
    heads = Markup("").join(
        Markup(
            '<line class="lifeline" x1="{0}" y1="{1}" x2="{0}" y2="{2}"/>'
            '<rect class="who" x="{3}" y="{4}" width="{5}" height="{6}" rx="8"/>'
            '<text class="who-name" x="{0}" y="{7}">{8}</text>'
        ).format(x, HEAD, y, x - wide, 2, 2 * wide, HEAD, HEAD // 2 + 7, name)
        for x, wide, name in zip(at.values(), half, diagram.names.values(), strict=True)
    )
    width = round(max(at.values()) + _overhang(diagram, list(at)[-1], half[-1]))
    return Markup(
        '<svg class="sequence" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}">{3}{4}</svg>'
    ).format(width, y + MARGIN, label, heads, Markup("").join(pieces))


def _columns(diagram: Sequence) -> dict[str, int]:
    """Letter -> x. Two neighbours stand so far apart that what is written between them fits."""
    signs = list(diagram.names)
    apart = [NARROWEST] * (len(signs) - 1)
    for step in diagram.steps:
        if isinstance(step, Message):
            left, right = sorted((signs.index(step.source), signs.index(step.target)))
            wide = max(len(step.text), len(step.carries)) * CHARACTER + 4 * MARGIN
            for place in range(left, right):
                apart[place] = max(apart[place], wide // (right - left))
    x = round(_overhang(diagram, signs[0], 60))
    at = {signs[0]: x}
    for sign, gap in zip(signs[1:], apart, strict=True):
        x += gap
        at[sign] = x
    return at


def _overhang(diagram: Sequence, sign: str, least: float) -> float:
    """How far remarks of this participant reach to each side."""
    lines = [line for step in diagram.steps if isinstance(step, Remark) and step.over == sign for line in step.lines]
    return max([least, *(len(line) * CHARACTER / 2 + MARGIN for line in lines)]) + MARGIN


def _note(note: Remark, x: int, y: int) -> Markup:
    wide = max(map(len, note.lines)) * CHARACTER + 2 * MARGIN
    box = Markup('<rect class="note" x="{}" y="{}" width="{}" height="{}" rx="6"/>').format(
        x - wide // 2, y, wide, len(note.lines) * LINE + MARGIN
    )
    return box + Markup("").join(
        Markup('<text class="note-text" x="{}" y="{}">{}</text>').format(x, y + MARGIN + 7 + place * LINE, line)
        for place, line in enumerate(note.lines)
    )


def _message(step: Message, start: int, end: int, y: int) -> Markup:
    towards = 1 if end > start else -1
    tip = end - 20 * towards if step.lost else end
    kind = "answer" if step.answer else "request"
    head = f"M{tip - 6} {y - 6}l12 12m0 -12l-12 12" if step.lost else f"M{tip} {y}l{-9 * towards} -5v10z"
    middle = (start + end) // 2
    return Markup(
        '<line class="{0}" x1="{1}" y1="{2}" x2="{3}" y2="{2}"/><path class="{4}" d="{5}"/>'
        '<text class="said" x="{6}" y="{7}">{8}</text><text class="carried" x="{6}" y="{9}">{10}</text>'
    ).format(kind, start, y, tip, "lost" if step.lost else "tip", head, middle, y - 6, step.text, y + 16, step.carries)


def frames(text: str) -> Markup:
    """One frame a step, with links between them; `:target` shows one at a time, so it needs no script."""
    found = [FRAME.fullmatch(line) for line in text.strip().splitlines()]
    if not all(found):
        raise ValueError(f"not a list of frames: {text}")
    most = max(int(each["generation"]) for each in found if each)
    items = [_frame(each, place, len(found), most) for place, each in enumerate(found, 1) if each]
    return Markup('<ol class="frames">{}</ol>').format(Markup("").join(items))


def _frame(found: re.Match[str], place: int, last: int, most: int) -> Markup:
    turns = [(place - 1, "Back"), (place + 1, "Next")]
    links = Markup("").join(
        Markup('<a href="#step-{}">{}</a>').format(to, name) for to, name in turns if 1 <= to <= last
    )
    said = found[0].partition(": ")[2]
    return Markup(
        '<li class="frame" id="step-{0}"><p><strong>{0} of {1}. {2}.</strong> {3}.</p>'
        '<div class="picture" tabindex="0" role="group" aria-label="Step {0}">{4}</div>'
        '<p class="frame-turn">{5}</p></li>'
    ).format(place, last, found["text"], said[0].upper() + said[1:], _generations(found, most, said), links)


def _generations(found: re.Match[str], most: int, label: str) -> Markup:
    newest, wide = int(found["generation"]), 110
    pieces = []
    for number in range(1, newest + 1):
        kind = "ended" if found["ended"] else "newest" if number == newest else "older"
        x = 20 + (number - 1) * (wide + 30)
        pieces.append(
            Markup(
                '<rect class="pair {0}" x="{1}" y="16" width="{2}" height="46" rx="10"/>'
                '<text class="pair-text {0}" x="{3}" y="45">pair {4}</text>'
            ).format(kind, x, wide, x + wide // 2, number)
        )
        holders = [name for name in ("confirmed", "browser", "attacker") if found[name] == str(number)]
        for line, name in enumerate(holders):
            pieces.append(
                Markup('<text class="holder {0}" x="{1}" y="{2}">{0}</text>').format(
                    name, x + wide // 2, 84 + line * 20
                )
            )
    return Markup(
        '<svg class="generations" viewBox="0 0 {0} 140" width="{0}" height="140" role="img" aria-label="{1}">{2}</svg>'
    ).format(40 + most * (wide + 30), label, Markup("").join(pieces))
