from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiln.core.errors import UsageError
from kiln.models import codepatch
from tests.support.command import run
from tests.support.detection import IMAGE, NONE, A, B
from tests.support.repository import ROOT

PATCH = codepatch.load(ROOT, "tensorflow-models")
PLACES = ("research/object_detection/model_lib_v2.py", "object_detection/model_lib_v2.py", "model_lib_v2.py")


def checkout(folder: Path, text: str, place: str = PLACES[0]) -> Path:
    file = folder / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return file


def patched(text: str) -> str:
    return codepatch.rewritten(text, codepatch.examine(PATCH, text))


def reverted(text: str) -> str:
    return codepatch.rewritten(text, codepatch.examine(PATCH, text), revert=True)


def refusal(text: str) -> str:
    with pytest.raises(codepatch.UnknownCodeError) as caught:
        patched(text)
    return str(caught.value)


@pytest.mark.parametrize("place", PLACES)
def test_form_a_is_patched_once_and_can_be_taken_back(tmp_path: Path, place: str) -> None:
    file = checkout(tmp_path, A, place)
    first = codepatch.run(PATCH, tmp_path)
    text = file.read_text(encoding="utf-8")
    assert (first.file, first.found.form and first.found.form.name, first.found.patched) == (file, "A", False)
    assert text == first.after != A
    assert "tf.reduce_max(image) - tf.reduce_min(image)" in text
    assert "lambda: tf.equal(global_step % 100, 0)" in text
    again = codepatch.run(PATCH, tmp_path)
    assert again.found.patched
    assert again.after == again.before == text
    codepatch.run(PATCH, tmp_path, revert=True)
    assert file.read_text(encoding="utf-8") == A
    assert codepatch.run(PATCH, tmp_path, revert=True).after == A


def test_nothing_but_the_statement_changes() -> None:
    before, after = A.splitlines(), patched(A).splitlines()
    first = before.index("  tf.compat.v2.summary.image(")
    assert after[:first] == before[:first]
    assert after[first:][-len(before[first + 5 :]) :] == before[first + 5 :]


def test_form_b_needs_no_patch_and_says_how_images_are_switched_off(tmp_path: Path) -> None:
    file = checkout(tmp_path, B)
    outcome = codepatch.run(PATCH, tmp_path)
    assert outcome.found.form is not None
    assert outcome.found.form.name == "B"
    assert "record_summaries=False" in outcome.says
    assert file.read_text(encoding="utf-8") == B


def test_code_without_image_summaries_is_left_alone(tmp_path: Path) -> None:
    file = checkout(tmp_path, NONE)
    outcome = codepatch.run(PATCH, tmp_path)
    assert (outcome.found.form, outcome.says) == (None, PATCH.otherwise)
    assert file.read_text(encoding="utf-8") == NONE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (A.replace("max_outputs=3", "max_outputs=4"), "in a form that is not known"),
        (A.replace("step=global_step,\n      data", "data"), "in a form that is not known"),
        (A.replace(IMAGE, IMAGE * 2), "more than one statement"),
        (B.replace("return eager", "tf.summary.image('x', 1)\n          return eager"), "not known"),
        (A.replace(IMAGE, "  if learning_rate:\n" + IMAGE.replace("  tf.c", "    x = tf.c")), "not known"),
        (
            A.replace("eager_train_step(detection_model", "other(detection_model"),
            " has no function eager_train_step",
        ),
        (A.replace(IMAGE, IMAGE.rstrip() + "; total_loss = 0\n"), "another statement on the same line"),
        ("def broken(:\n", ":1: is no Python"),
        ("", " has no function eager_train_step and no train_loop"),
    ],
)
def test_what_is_not_known_is_refused(text: str, reason: str) -> None:
    assert reason in refusal(text)


def test_a_refusal_names_the_line_and_leaves_the_file_alone(tmp_path: Path) -> None:
    text = A.replace("max_outputs=3", "max_outputs=4")
    file = checkout(tmp_path, text)
    line = text[: text.index("tf.compat.v2.summary.image(")].count("\n") + 1
    with pytest.raises(UsageError, match=f"model_lib_v2.py:{line}: calls summary.image"):
        codepatch.run(PATCH, tmp_path)
    assert file.read_text(encoding="utf-8") == text


def test_a_dry_run_shows_the_difference_and_writes_nothing(tmp_path: Path) -> None:
    file = checkout(tmp_path, A)
    outcome = codepatch.run(PATCH, tmp_path, dry=True)
    assert "\n-      data=features[fields.InputDataFields.image],\n" in outcome.difference
    assert file.read_text(encoding="utf-8") == A


def test_mode_links_and_ends_of_lines_are_kept(tmp_path: Path) -> None:
    text = A.replace("\n", "\r\n")
    file = checkout(tmp_path / "elsewhere", text)
    file.chmod(0o640)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "model_lib_v2.py").symlink_to(file)
    codepatch.run(PATCH, tmp_path / "models")
    changed = file.read_bytes()
    assert changed.count(b"\r\n") == changed.count(b"\n") == patched(A).count("\n")
    assert file.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "models" / "model_lib_v2.py").is_symlink()
    assert list(file.parent.iterdir()) == [file]
    codepatch.run(PATCH, tmp_path / "models", revert=True)
    assert file.read_bytes() == text.encode()


@pytest.mark.parametrize(
    "call",
    [
        "tf.compat.v2.summary.image(name='train_input_images', step=global_step,"
        " data=features[fields.InputDataFields.image], max_outputs=3)",
        'tf.compat.v2.summary.image(  # images\n    name="train_input_images",\n\tstep = global_step,\n'
        "# data\n  data=features[fields.InputDataFields.image], max_outputs=3,\n)  # written",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("rest", ["", "# form\ffeed\n"])
def test_taking_back_gives_the_file_as_it_was_whatever_its_layout(
    tmp_path: Path, call: str, end: str, rest: str
) -> None:
    text = (rest + A.replace(IMAGE, f"  {call}\n")).replace("\n", end)
    file = checkout(tmp_path, text)
    codepatch.run(PATCH, tmp_path)
    changed = file.read_bytes().decode()
    assert changed != text
    assert codepatch.examine(PATCH, changed).patched
    codepatch.run(PATCH, tmp_path, revert=True)
    assert file.read_bytes().decode() == text


BLANK = st.text(" ", max_size=3)
REMARK = st.one_of(st.just(""), st.text("ab é\t#'\"", max_size=8).map("  #".__add__))


@given(
    st.lists(st.tuples(BLANK, REMARK), min_size=4, max_size=4),
    st.sampled_from(["'", '"', '"""']),
    st.booleans(),
    st.integers(0, 3),
    REMARK,
)
def test_layout_quotes_and_remarks_make_no_difference(
    gaps: list[tuple[str, str]], quote: str, comma: bool, depth: int, last: str
) -> None:
    arguments = [
        f"name={quote}train_input_images{quote}", "step=global_step",
        "data=features[fields.InputDataFields.image]", "max_outputs=3" + "," * comma,
    ]  # fmt: skip
    spaced = ",".join(f"{remark}\n{blank}{text}" for (blank, remark), text in zip(gaps, arguments))
    call = f"tf.compat.v2.summary.image({spaced}\n)"
    opening = "".join(f"{'  ' * (level + 1)}if True:\n" for level in range(depth))
    text = A.replace(IMAGE, f"{opening}{'  ' * (depth + 1)}{call}{last}\n")
    after = patched(text)
    found = codepatch.examine(PATCH, after)
    assert found.form is not None
    assert (found.form.name, found.patched) == ("A", True)
    assert patched(after) == after
    assert reverted(after) == text
    assert last.strip() in after


@given(st.text(st.sampled_from("abc()[]:=,.'\"#\n\t \\0\x00é"), max_size=60))
def test_whatever_stands_in_a_file_is_found_or_refused(text: str) -> None:
    for whole in (text, A + text):
        try:
            assert reverted(patched(whole)) == whole
        except codepatch.UnknownCodeError as error:
            assert "\n" not in str(error)


def test_the_command_says_what_it_found_and_exits_with_2_for_what_it_does_not_know(tmp_path: Path) -> None:
    home = tmp_path / "home"
    file = checkout(tmp_path, A)
    shown = run(home, "patch", "tensorflow-models", str(tmp_path), "--dry-run")
    assert "form A" in shown.stdout
    assert "+      lambda: tf.equal(global_step % 100, 0)):" in shown.stdout
    first = run(home, "patch", "tensorflow-models", str(tmp_path)).stdout
    assert "patched" in first
    assert "at every step" in first
    again = run(home, "patch", "tensorflow-models", str(tmp_path)).stdout
    assert "form A, patched" in again
    assert "at every step" not in again
    assert "every 100 steps, whatever num_steps_per_iteration is" in again
    assert file.read_text(encoding="utf-8") == patched(A)
    for arguments, reason in {
        ("no-such-patch", str(tmp_path)): "choose one of tensorflow-models",
        ("tensorflow-models", str(tmp_path / "nowhere")): "give the folder that does",
    }.items():
        done = run(home, "patch", *arguments)
        assert done.returncode == 2
        assert reason in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_patch_is_data_and_its_mistakes_are_told_with_their_lines(tmp_path: Path) -> None:
    folder = tmp_path / "patches" / "checkouts" / "mine"
    folder.mkdir(parents=True)
    text = (
        "summary: s\nupstream: u\nfiles: [m.py]\nwatch: {call: sleep, inside: [f]}\notherwise: no sleep\n"
        "forms:\n  - {name: A, says: it sleeps, inside: f, code: 'time.sleep(1)', becomes: 'time.sleep(2)'}\n"
    )
    (folder / "patch.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "m.py").write_text("def f():\n    time.sleep(1)\n", encoding="utf-8")
    codepatch.run(codepatch.load(tmp_path, "mine"), tmp_path)
    assert (tmp_path / "m.py").read_text(encoding="utf-8") == "def f():\n    time.sleep(2)\n"
    (folder / "patch.yaml").write_text(text.replace("time.sleep(1)", "sleep 1"), encoding="utf-8")
    with pytest.raises(UsageError, match=r"patch\.yaml:7: .*code.*this is not Python"):
        codepatch.load(tmp_path, "mine")
