"""What is hostile in texts, names and bytes."""

from __future__ import annotations

from random import Random

NAMES = (
    "../x", "/etc/x", "a/../../x", "./a", "a//b", "", ".", "..", "a/", "a\\..\\b", "a\nb", "a\0b", "\x1b[2Jx", "é",
    "\udcff",
    "CON", "a" * 300, "a/" * 200 + "a", ".git/config", "~", "-rf", " ", "%2e%2e/x", "a:b", "\u202egnp.exe", "x\r", "*",
    "$(id)", "`id`", "a;b", "'", '"', "<b>", "{}", "{host}", "\ufeffx",
)  # fmt: skip
SCALARS = (
    "null", "~", "true", "no", "0", "-1", "1e999", ".nan", ".inf", "0x10", "0b_", "1_000", "2020-13-45", "2020-01-01",
    "9" * 5000, "1e-400", "!!int abc", "!!binary x", "!!python/object:os.system {}", "*a", "&a [*a, *a]", "[]", "{}",
    "[[[[]]]]", '"\\u0000"', '"\\x1b[2J"', "'../../../../etc'", "/etc/passwd", "https://u:p@h/x", "|", ">", "%", "@", "`",
    '"' + "a" * 3000 + '"', "é", "\u202e", "? a", "- a", "a: b", "<<", "=", "12:34:56", "0o17", "+1", ".5", "1.", "-", "''",
    "'a{99999999999}'", "'(a+)+$'", "'['", ">=1", "'>=1,<2'", "==", "${HOME}", "{{x}}", "\t", "[", "}", "#", "---", "...",
)  # fmt: skip


def name(random: Random) -> str:
    """A name for a file, most often a hostile one."""
    if random.random() < 0.3:
        return random.choice(("a", "b", "a/b", "dir/file.c", "x.txt"))
    return random.choice(NAMES) + random.choice(("", "", "x", "/y", random.choice(NAMES)))


def damaged(random: Random, data: bytes) -> bytes:
    """Bytes of which some are others now, missing, or there twice."""
    found = bytearray(data)
    for _ in range(random.choice((0, 1, 1, 2, 5, 20))):
        at, length = random.randrange(len(found) + 1), random.choice((1, 1, 2, 4, 16, 200))
        kind = random.randrange(6)
        if kind == 0:
            found[at : at + length] = random.randbytes(length)
        elif kind == 1:
            del found[at : at + length]
        elif kind == 2:
            found[at:at] = found[at : at + length]
        elif kind == 3:
            found[at : at + 1] = bytes([random.choice((0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x1B, 0x22))])
        elif kind == 4:
            found[at : at + 4] = random.choice(
                (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\1\0\0\0")
            )
        else:
            del found[at:]
    return bytes(found)


def damaged_yaml(random: Random, text: str) -> bytes:
    """A YAML file with some values, keys or lines in another form."""
    lines = text.splitlines()
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(lines))
        line = lines[at]
        kind = random.randrange(9)
        if kind in (0, 1, 2):
            head, colon, _ = line.partition(": ")
            lines[at] = f"{head}{colon}{random.choice(SCALARS)}"
        elif kind == 3:
            lines[at:at] = [line]
        elif kind == 4:
            del lines[at]
            lines = lines or [""]
        elif kind == 5:
            lines[at] = " " * random.randrange(12) + line.lstrip()
        elif kind == 6:
            lines[at] = line.replace(
                random.choice((":", "-", ",", "[", "}", '"')), random.choice(SCALARS[:20])
            )
        elif kind == 7:
            lines[at] = (
                " " * (len(line) - len(line.lstrip())) + f"{random.choice(NAMES)!r}: {random.choice(SCALARS)}"
            )
        else:
            depth = random.choice((10, 63, 64, 65, 2000, 100000))
            lines[at] = f"{line.partition(':')[0]}: {'[' * depth}{']' * random.choice((0, depth))}"
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    return damaged(random, data) if random.random() < 0.2 else data
