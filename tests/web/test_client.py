"""Who asks, as clean strings."""

import pytest

from app.web import client


def current_of(user_agent: bytes = b"", ip: str = "192.0.2.1") -> client.Client:
    with client.of({"client": (ip, 1), "headers": [(b"user-agent", user_agent)]}) as made:
        assert client.current() is made
        return made


def test_outside_of_a_request_there_is_nobody() -> None:
    assert client.current() == client.Client("", "", "")


def test_the_client_is_gone_after_the_request() -> None:
    current_of()

    assert client.current() == client.Client("", "", "")


def test_every_request_has_an_id_of_its_own() -> None:
    assert len({current_of().request_id for _ in range(100)}) == 100


def test_strings_are_cut() -> None:
    made = current_of(b"x" * 10_000, "f" * 100)

    assert (len(made.user_agent), len(made.ip), len(made.request_id)) == (255, 45, 36)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"curl/8.0", "curl/8.0"),
        (b"a\nb\rc\x00d\x1b[31m", "a?b?c?d?[31m"),
        ("a\u202eb\u2028c".encode(), "a?b?c"),
        (b"a\xffb", "a\ufffdb"),
        ("Åsa".encode(), "Åsa"),
    ],
)
def test_a_user_agent_is_one_printable_line(sent: bytes, kept: str) -> None:
    assert current_of(sent).user_agent == kept


def test_a_unix_socket_has_no_address() -> None:
    with client.of({"client": None, "headers": []}) as made:
        assert (made.ip, made.user_agent) == ("", "")


WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/130.0.0.0 Safari/537.36", "Chrome on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/130.0.0.0 Safari/537.36 Edg/130.0", "Edge on Windows"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/17.0 Safari/605.1.15", "Safari on macOS"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) {WEBKIT} Safari/604.1", "Safari on iPhone"),
        (f"Mozilla/5.0 (Linux; Android 14) {WEBKIT} Chrome/130.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0", "Firefox on Android"),
        ("curl/8.5.0", "curl"),
        ("(Windows NT 10.0)", "Windows"),
        ("", "Unknown device"),
        ("<script>alert(1)</script>", "Unknown device"),
    ],
)
def test_a_device_in_words(user_agent: str, words: str) -> None:
    assert client.device(user_agent) == words
