"""Scenarios of the time machine: lists of moves, and what each shows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scenario:
    """`moves` as in the address of the page (see `simulation.MOVES`); `loss`: lost responses in percent."""

    title: str
    text: str
    moves: str
    loss: int = 0


ALL = (
    Scenario(
        "Two tabs",
        "The access token has expired, and both tabs refresh at once with the same refresh token. The server issues "
        "the same pair to the second tab, because it issued that pair within the last 30 seconds.",
        "1-2-w960-b-w960-1",
    ),
    Scenario(
        "A lost response",
        "The server issues a new pair, but the response never reaches the browser. An hour later the browser presents "
        "the old token. Nobody has used the new pair, so the server issues it again, without a time limit.",
        "1-w960-x-1-w3600-1-w960-2",
    ),
    Scenario(
        "The attacker refreshes first",
        "The attacker refreshes with a copied token. Ten minutes later the owner presents the same token. That is "
        "reuse: the session ends for the owner and for the attacker.",
        "1-c-w960-t-w600-1-t",
    ),
    Scenario(
        "An attacker within the leeway",
        "As long as the attacker and the owner always refresh within 30 seconds of each other, both get the same pair "
        "and nobody notices. The first time that one of them is later, the session ends.",
        "1-c-w960-t-w20-1-w960-1-w20-t-w960-t-w600-1",
    ),
    Scenario(
        "A delayed request",
        "The network delays a request of tab 2 for two minutes. Meanwhile tab 1 refreshes. When the delayed request "
        "arrives with the old token, the server answers: retry. The browser reads its cookies again and has the new "
        "pair.",
        "1-w960-h-1-w120-d-w960-2",
    ),
    Scenario(
        "An unreliable network",
        "Four of ten responses are lost, and nobody is signed out: the server issues each lost pair again.",
        "1-w960-1-1-w960-2-2-w960-1-1-w960-2-2-w960-1-1",
        loss=40,
    ),
)
