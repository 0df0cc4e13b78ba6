from __future__ import annotations

import io

import pytest
import rich.console

from kiln.core import Console, shown

CANARY = "c4n4ry"


@pytest.mark.parametrize(
    "text",
    [
        f"http://{CANARY}@h/x",
        f"http://me:{CANARY}@h:8/x",
        f"http://me:p@{CANARY}@h/x",
        f"git://me:{CANARY}@h/x",
        f"tcp://me:{CANARY}@h:2375",
        f"unix://me:{CANARY}@/run/docker.sock",
        f"me:{CANARY}@mirror.example/debian is not a URL",
        f"fatal: unable to access 'https://me:{CANARY}@h/x.git/'",
        f"https://h/x?token={CANARY}",
        f"https://h/x?a=1&access_token={CANARY}&b=2",
        f"https://h/x?X-Amz-Signature={CANARY}",
        f"https://h/x?X-Amz-Credential={CANARY}",
        f"KILN_PASSWORD={CANARY}",
        f"http_proxy=http://me:{CANARY}@proxy:3128",
        f"Authorization: Basic {CANARY}",
        f"//me:{CANARY}@h/x",
        f"http:me:{CANARY}@h:9/x#y",
        f"git::{CANARY}@mirror.example/x",
        f"file:me:{CANARY}@[::1]:9/x",
        f"{'m' * 70}:{CANARY}@mirror.example/x",
        f"me:{CANARY}@mirror.example:9: refused",
        f"me:{CANARY}@mirror.example:9, sha256",
        f"proxy-authorization: Bearer {CANARY}",
    ],
)
def test_a_login_is_in_nothing_that_is_shown(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    for around in (text, f"see {text}", f"see {text} and {text}\nhttp://{CANARY}@h"):
        assert CANARY not in shown(around)
    console = Console()
    console.note(text)
    console.say(text)
    with console.steps(text) as step:
        step(text)
    assert CANARY not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "text",
    [
        "https://h:8/p?q=a@b",
        "debian:12@sha256:0a1b2c",
        "git@h:owner/repo.git",
        "undefined reference to `std::thread::_M_start@GLIBCXX_3.4.22'",
        "external/a//b:c.cc",
        "@org_tensorflow//tensorflow:lib",
        "KILN_MIRRORS=https://h/{path}",
        "a\tb\nc",
        "Straße ✓ • 日本",
    ],
)
def test_other_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Not\x1b[31m Found\x1b[0m", "Not Found"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]8;;http://h\x1b\\link", "alink"),
        ("a\rb\x08\x7f\x00c", "abc"),
        ("a\x9b31mb\x85", "ab"),
        ("a\u202eb\u2066", "ab"),
    ],
)
def test_a_terminal_is_given_no_commands(text: str, plain: str) -> None:
    assert shown(text) == plain
    screen = io.StringIO()
    Console(rich.console.Console(file=screen, width=80)).note(text)
    assert "\x1b" not in screen.getvalue()


def test_a_long_line_is_read_in_no_time() -> None:
    for part in ("a-", "~", "token", "x:y", "@", "http://"):
        assert shown(part * 200_000)
