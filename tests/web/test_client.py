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


# Chromium's, and Apple's, which every browser on iOS has.
BLINK, WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)", "AppleWebKit/605.1.15 (KHTML, like Gecko)"
WINDOWS, MAC = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
LINUX, ANDROID = "Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (Linux; Android 10; K)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X)"
IPAD = "Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X)"
CHROME, MOBILE = "Chrome/142.0.0.0 Safari/537.36", "Chrome/142.0.0.0 Mobile Safari/537.36"
IOS = "Mobile/15E148 Safari/604.1"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (f"{WINDOWS} {BLINK} {CHROME}", "Chrome on Windows"),
        (f"{MAC} {BLINK} {CHROME}", "Chrome on macOS"),
        (f"{LINUX} {BLINK} {CHROME}", "Chrome on Linux"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {BLINK} {CHROME}", "Chrome on ChromeOS"),
        (f"{ANDROID} {BLINK} {MOBILE}", "Chrome on Android"),
        (f"{IPHONE} {WEBKIT} CriOS/142.0.7444.77 {IOS}", "Chrome on iPhone"),
        (f"{IPAD} {WEBKIT} CriOS/142.0.7444.77 {IOS}", "Chrome on iPad"),
        (f"{WINDOWS} {BLINK} {CHROME} Edg/142.0.0.0", "Edge on Windows"),
        (f"{WINDOWS} {BLINK} Chrome/70.0.3538.102 Safari/537.36 Edge/18.19582", "Edge on Windows"),
        (f"{MAC} {BLINK} {CHROME} Edg/142.0.0.0", "Edge on macOS"),
        (f"{ANDROID} {BLINK} {MOBILE} EdgA/142.0.0.0", "Edge on Android"),
        (f"{IPHONE} {WEBKIT} Version/18.0 EdgiOS/142.0.3595.66 {IOS}", "Edge on iPhone"),
        (f"{WINDOWS} {BLINK} {CHROME} OPR/124.0.0.0", "Opera on Windows"),
        (f"{ANDROID} {BLINK} {MOBILE} OPR/92.0.0.0", "Opera on Android"),
        (f"{IPHONE} {WEBKIT} Version/18.6 {IOS} OPT/6.1.0", "Opera on iPhone"),
        (f"{IPHONE} {WEBKIT} OPiOS/16.0.15.124050 Mobile/15E148 Safari/9537.53", "Opera on iPhone"),
        (f"{WINDOWS} {BLINK} {CHROME} Edg/142.0.0.0 Ddg/142.0.0.0", "DuckDuckGo on Windows"),
        (f"{ANDROID} {BLINK} Version/4.0 {MOBILE} Ddg/15", "DuckDuckGo on Android"),
        (f"{ANDROID} {BLINK} Version/4.0 Chrome/142.0.0.0 Mobile DuckDuckGo/5 Safari/537.36", "DuckDuckGo on Android"),
        (f"{IPHONE} {WEBKIT} Version/17.6 {IOS} Ddg/17.6", "DuckDuckGo on iPhone"),
        (f"{IPHONE} {WEBKIT} Version/18.6 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15", "DuckDuckGo on iPhone"),
        (f"{ANDROID} {BLINK} SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36", "Samsung Internet on Android"),
        ("Mozilla/5.0 (Android 15; Mobile; rv:144.0) Gecko/144.0 Firefox/144.0", "Firefox on Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on macOS"),
        (f"{IPHONE} {WEBKIT} FxiOS/144.0 Mobile/15E148 Safari/605.1.15", "Firefox on iPhone"),
        (f"{WINDOWS} {BLINK} {CHROME} Vivaldi/7.6.3797.63", "Vivaldi on Windows"),
        (f"{WINDOWS} {BLINK} Chrome/142.0.0.0 YaBrowser/25.10.0.0 Safari/537.36", "Yandex Browser on Windows"),
        (f"{ANDROID} {BLINK} Version/4.0 {MOBILE} XiaoMi/MiuiBrowser/14.35.0-gn", "Mi Browser on Android"),
        (f"{ANDROID} {BLINK} Chrome/114.0 HuaweiBrowser/15.0.4.312 Mobile Safari/537.36", "Huawei Browser on Android"),
        (f"{ANDROID} {BLINK} Chrome/123.0 UCBrowser/13.7.0.1 Mobile Safari/537.36", "UC Browser on Android"),
        (f"{WINDOWS} {BLINK} {CHROME} Whale/4.33.325.17", "Whale on Windows"),
        ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on Ubuntu"),
        (f"{LINUX} {WEBKIT} Version/26.0 Safari/605.1.15 Epiphany/605.1.15", "GNOME Web on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "Internet Explorer on Windows"),
        (f"{IPHONE} {WEBKIT} GSA/392.0.804440838 {IOS}", "Google app on iPhone"),
        (f"{IPHONE} {WEBKIT} Mobile/15E148 Instagram 400.0.0.0 (iPhone16,2; iOS 18_7)", "Instagram on iPhone"),
        (f"{IPHONE} {WEBKIT} Mobile/15E148 [FBAN/FBIOS;FBAV/540.0.0.0;FBDV/iPhone16,2]", "Facebook on iPhone"),
        (f"{IPHONE} {WEBKIT} Version/26.1 {IOS}", "Safari on iPhone"),
        (f"{IPAD} {WEBKIT} Version/17.6 {IOS}", "Safari on iPad"),
        # An iPad says that it is a Mac, unless the browser is one that only iOS has.
        (f"{MAC} {WEBKIT} Version/26.1 Safari/605.1.15", "Safari on Mac or iPad"),
        (f"{MAC} {WEBKIT} Version/18.6 Safari/605.1.15 Ddg/18.6", "DuckDuckGo on Mac or iPad"),
        (f"{MAC} {WEBKIT} CriOS/142 Version/11.1.1 Safari/605.1.15", "Chrome on iPad"),
        (f"{MAC} {WEBKIT} FxiOS/144.0 Safari/605.1.15", "Firefox on iPad"),
        (f"{MAC} {WEBKIT} Version/18.0 EdgiOS/142.0.3595.66 Safari/605.1.15", "Edge on iPad"),
        ("curl/8.5.0", "curl"),
        ("Wget/1.24.5", "Wget"),
        ("python-requests/2.32.3", "Python"),
        ("python-httpx/0.28.1", "Python"),
        ("Go-http-client/2.0", "Go-http-client"),
        ("okhttp/4.12.0", "okhttp"),
        ("(Windows NT 10.0)", "Windows"),
        ("", "Unknown device"),
        ("<script>alert(1)</script>", "Unknown device"),
        ("Mozilla/5.0", "Unknown device"),
        ("x" * 255 + "curl/8.5.0", "Unknown device"),  # what no session can hold is not looked at
    ],
)  # fmt: skip
def test_a_device_in_words(user_agent: str, words: str) -> None:
    assert client.device(user_agent) == words


# v5.0.0-1.3.11
@pytest.mark.parametrize(
    "user_agent",
    [
        "CallUsNow0800123456bot/1.0",
        "evil.example-bot/1",
        "Mozilla/5.0 (compatible; evil.example/bot)",
        "YourBank/1.0 CFNetwork/1 Darwin/2",
        "Visit evil.example/x crawler",
    ],
)
def test_name_of_a_device_is_no_text_of_the_visitor(user_agent: str) -> None:
    """It stands in an e-mail to the owner of an account."""
    words = client.device(user_agent)

    assert not any(part in words for part in ("0800", "evil", "Bank", "example", "/x"))


def test_names_of_long_hostile_text_are_bounded() -> None:
    """Every expression of the library runs over the text: the longest one that a session holds."""
    text = "Mozilla/5.0 (" * 10_000

    assert client.device(text) == client.device(text[: client.LONGEST])
