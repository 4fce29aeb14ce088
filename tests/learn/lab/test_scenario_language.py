"""Scenarios in words: strict, bounded, and with expectations that the simulation answers."""

from urllib.parse import quote

import pytest

from app.learn.lab import scenario_language, scenarios, simulation
from app.learn.lab.scenario_language import ScriptError
from tests.support.visitor import Visitor

THEFT = """tab 1 opens a page
attacker copies the cookies
wait 16 minutes
attacker opens a page
expect generation 2
wait 10 minutes
Tab 1  opens a page

expect reuse
expect ended"""


@pytest.mark.parametrize("scenario", scenarios.ALL, ids=lambda scenario: scenario.title)
def test_every_scenario_can_be_written_and_read_again(scenario: scenarios.Scenario) -> None:
    moves = scenario.moves.split("-")

    assert scenario_language.parse(scenario_language.written(moves)).moves == moves


def test_every_move_of_the_machine_has_a_line() -> None:
    assert set(scenario_language.MOVES.values()) == set(simulation.MOVES)


def test_expectations_are_answered_by_the_simulation() -> None:
    script = scenario_language.parse(THEFT)

    results = scenario_language.check(script)

    assert script.moves == ["1", "c", "w960", "t", "w600", "1"]
    assert [(each.number, each.held) for each in results] == [(5, True), (9, True), (10, True)]


def test_expectation_that_does_not_hold_says_what_happened() -> None:
    script = scenario_language.parse(THEFT.replace("expect ended", "expect active"))

    result = scenario_language.check(script)[-1]

    assert not result.held
    assert result.happened == "ended, generation 2, reuse"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("tab 3 opens a page", 1),
        ("wait 0 seconds", 1),
        ("wait 9 days", 1),
        ("wait 99999 hours", 1),
        ("wait -1 minutes", 1),
        ("tab 1 opens a page\nimport os", 2),
        ("expect generation 100", 1),
        ("expect nothing", 1),
        ("wait 1 minute; tab 1 opens a page", 1),
        ("tab 1 opens a page\n" * 41, 41),
        ("expect active\n" * 21, 21),
        ("x" * 2001, 0),
        ("<script>alert(1)</script>", 1),
    ],
)
def test_anything_else_is_an_error_with_its_line(text: str, number: int) -> None:
    with pytest.raises(ScriptError) as error:
        scenario_language.parse(text)

    assert error.value.number == number


@pytest.mark.anyio
async def test_link_has_the_whole_scenario(client: Visitor) -> None:
    page = await client.visit(f"/learn/lab/time-machine?script={quote(THEFT)}")

    assert page.status_code == 200
    assert page.text.count("So it is.") == 3
    assert 'value="1-c-w960-t-w600-1"' in page.text  # further moves go on from there


@pytest.mark.anyio
async def test_wrong_line_is_shown_as_text_and_nothing_is_played(client: Visitor) -> None:
    page = await client.visit(f"/learn/lab/time-machine?script={quote('<script>alert(1)</script>')}")

    assert page.status_code == 422
    assert "Line 1: not a line of a scenario" in page.text
    assert "<script>alert" not in page.text
    assert 'name="moves" value=""' in page.text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("expected", "said"), [("held", "So it is."), ("broken", "It is not so."), ("", ""), ("x", "")]
)
async def test_prediction_is_compared_with_what_happened(client: Visitor, expected: str, said: str) -> None:
    page = await client.submit("/learn/lab/attacks/alg-none", {"expected": expected})

    assert page.status_code == 200
    assert ("You expected" in page.text) is bool(said)
    assert said in page.text
