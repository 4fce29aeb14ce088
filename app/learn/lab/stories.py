"""Stories for the time machine: moves worth watching, and what they show."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Story:
    """`moves` as they stand in a link (see `machine.MOVES`); `loss` in percent."""

    title: str
    text: str
    moves: str
    loss: int = 0


ALL = (
    Story(
        "Two tabs",
        "The access token is over, and both tabs renew at once with the same refresh token. The second one is handed "
        "the same pair again, because the first was handed out within the last 30 seconds.",
        "1-2-w960-b-w960-1",
    ),
    Story(
        "A lost answer",
        "The server has renewed, the browser never hears of it. An hour later it comes with the old token: nobody has "
        "used the successor, so it is handed out once more, however late it is.",
        "1-w960-x-1-w3600-1-w960-2",
    ),
    Story(
        "The thief comes first",
        "A copied refresh token renews before its owner does. When the owner comes, the token is ten minutes too old: "
        "the session ends for both, and the thief's pair with it.",
        "1-c-w960-t-w600-1-t",
    ),
    Story(
        "A thief in step",
        "Whoever renews within 30 seconds of the other one, every time, gets the same pair and is not noticed. The "
        "first time one of them is late, it is over.",
        "1-c-w960-t-w20-1-w960-1-w20-t-w960-t-w600-1",
    ),
    Story(
        "A request that hangs",
        "One tab's request hangs in the network for two minutes while the other tab renews. It arrives with an old "
        "token and is told to ask again: the browser reads its cookies once more and finds the new pair.",
        "1-w960-h-1-w120-d-w960-2",
    ),
    Story(
        "A bad network",
        "Four of ten renewals get lost on their way back, all morning, and nobody is signed out: whatever got lost is "
        "handed out once more.",
        "1-w960-1-1-w960-2-2-w960-1-1-w960-2-2-w960-1-1",
        loss=40,
    ),
)
