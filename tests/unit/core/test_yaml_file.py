from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiln.core import UsageError, read_yaml
from kiln.core.yaml_file import MAX_SIZE

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi")
)


def problem(folder: Path, text: str | bytes) -> str:
    """The first line of the error for a file, without the folder."""
    file = folder / "x.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as caught:
        read_yaml(file)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(f"{folder}/", "").splitlines()[0]


def test_aliases_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: &a {k: [1, 2]}\nb: *a\n")
    assert read_yaml(tmp_path / "x.yaml").value == {"a": {"k": (1, 2)}, "b": {"k": (1, 2)}}


@pytest.mark.parametrize("depth", [65, 500, 200_000])
@pytest.mark.parametrize("unit", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(tmp_path: Path, unit: str, depth: int) -> None:
    assert "x.yaml:2: this is nested in more than 64 levels" in problem(tmp_path, f"# deep\n{unit * depth}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "aliases repeat too much here"),
        ("a: &a\n  - *a\n", "aliases repeat too much here"),
        ("k: v\na: {b: !!int abc}\n", "x.yaml:2: a.b: a tag such as !!int is not read here"),
        ("a: !!bool maybe\n", "x.yaml:1: a: a tag"),
        ("a: [!!timestamp foo]\n", "x.yaml:1: a[0]: a tag"),
        ("a: !!python/object/apply:os.system [x]\n", "x.yaml:1: a: a tag"),
        ("a: !x {b: 1}\n", "x.yaml:1: a: a tag"),
        ("k:\n- a\n- 2020-13-45\n", "x.yaml:3: k[1]: 2020-13-45 cannot be read as a value"),
        ("a: 0b_\n", "x.yaml:1: a: 0b_ cannot be read as a value"),
        ("a: 0x_\n", "x.yaml:1: a: 0x_ cannot be read as a value"),
        ("a: " + "9" * 5000, "x.yaml:1: a: "),
        ("a: " + "9" * 4000, "x.yaml:1: a: this number is too large"),
        ("a: 0x" + "f" * 5000, "x.yaml:1: a: this number is too large"),
        ("a: \"b\\0c\"\n", "x.yaml:1: a: this text has a control character"),
        ("a: \"\\e[31m\"\n", "x.yaml:1: a: this text has a control character"),
        ("a: 1\nb: \x1b[31m\n", "x.yaml:2: this is not YAML: "),
        ("? [a]\n: b\n", "x.yaml:1: ?: a key is a text"),
        ("a: 1\na: 2\n", "x.yaml:2: a: this key appears twice"),
        ("a: 1\nb: *c\n", "x.yaml:2: this is not YAML: "),
        ("a: 1\n---\nb: 2\n", "x.yaml:2: this is not YAML: "),
        ('# lock\n{"a": 1,\n"b": {"c": 1, "c": 2}}', "x.yaml:3: c: this key appears twice"),
        ('{"a":\n' + "9" * 4000 + "}", "x.yaml:1: a: this number is too large"),
        ('{"a":\n"b\x7f"}', "x.yaml:2: this is not YAML: "),
        ('{"a": "b\\u0007"}', "x.yaml:1: a: this text has a control character"),
        ('{"a":\n' + "[" * 5000 + "}", "x.yaml:2: this is nested in more than 64 levels"),
        (b"a: \xff\n", "x.yaml:1: this file cannot be read"),
        ("#" * (MAX_SIZE + 1), "x.yaml:1: this file has more than 16 MiB"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named_with_file_line_and_key(
    tmp_path: Path, text: str | bytes, says: str
) -> None:
    assert says in problem(tmp_path, text)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="this is not a file"):
        read_yaml(Path("/dev/zero"))
    with pytest.raises(UsageError, match="this is not a file"):
        read_yaml(tmp_path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_yaml(tmp_path / "missing.yaml")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "when"]), inner),
        max_leaves=9,
    ),
))  # fmt: skip
def test_a_file_in_json_is_read_as_the_same_in_yaml(tmp_path: Path, value: dict[str, object]) -> None:
    def read(text: str) -> object:
        (tmp_path / "x.yaml").write_text(text)
        try:
            return read_yaml(tmp_path / "x.yaml").value
        except UsageError as error:
            return str(error).partition(": ")[2].splitlines()[0]

    text = json.dumps(value)
    node = yaml.safe_load(text)
    assert read(f"# a lock\n{text}\n") == read(yaml.safe_dump(node, allow_unicode=True, sort_keys=False))


def test_a_mistake_in_json_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text('# a lock\n{"a": [\n {"b": 1},\n {"b": "x"}]}\n')
    document = read_yaml(tmp_path / "x.yaml")
    assert document.error(("a", 1, "b"), "wrong") == f"{tmp_path}/x.yaml:4: a[1].b: wrong"
