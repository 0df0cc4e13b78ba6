from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiln.core.errors import UsageError
from kiln.lock.cmake import reader

MD5 = "0123456789abcdef0123456789abcdef"
FETCH = "fetch(FILENAME ${name} HASH ${md5} URL ${url} ID it DESTINATION_DIR x STATUS ok)"


def read(root: Path, text: str, name: str = "CMakeLists.txt") -> tuple[reader.Download, ...]:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return reader.read_downloads(root, "fetch")


def names(root: Path, text: str) -> list[str]:
    """The names of the files that a script downloads whose other arguments do not matter."""
    before = f'set(md5 "{MD5}")\nset(url "https://x.example/f")\n'
    return [each.filename for each in read(root, before + textwrap.dedent(text))]


def test_a_download_is_read_with_variables_in_a_relative_url(tmp_path: Path) -> None:
    text = f"""
        # fetch(FILENAME no HASH no URL no)
        SET(commit "c0ffee")   #[[ a
        comment ]]
        set(hash {MD5})
        fetch(FILENAME "v1.zip"
              HASH ${{hash}}
              URL "${{MY_URL}}" "$ENV{{MY_URL}}" "https://x.example/${{commit}}/" "https://other.example/"
              DESTINATION_DIR "${{CMAKE_BINARY_DIR}}/x"
              ID "Group/One" STATUS res UNPACK RELATIVE_URL)
        """
    (found,) = read(tmp_path, text, "modules/one/load.cmake")
    place = "modules/one/load.cmake:6"
    assert found == reader.Download("group/one", "v1.zip", MD5, "https://x.example/c0ffee/v1.zip", place)
    assert found.place == place


def test_a_loop_over_names_of_names_is_unrolled(tmp_path: Path) -> None:
    text = f"""
        function(get)
          set(ids A B)
          set(name_A a.bin)
          set(name_B b.bin)
          foreach(id ${{ids}})
            fetch(FILENAME ${{name_${{id}}}} HASH {MD5} URL "https://x.example/${{name_${{id}}}}")
            if(NOT res)
              return()
            endif()
          endforeach()
        endfunction()
        """
    assert [each.url for each in read(tmp_path, text)] == [
        "https://x.example/a.bin",
        "https://x.example/b.bin",
    ]


def test_values_are_those_of_64_bit_linux(tmp_path: Path) -> None:
    text = """
        if(APPLE)
          set(name mac)
        elseif((UNIX AND NOT ANDROID) OR (UNIX AND ABI MATCHES "x86"))
          if(X86_64)
            set(name lnx64)
          else()
            set(name lnx32)
          endif()
        else()
          set(name other)
        endif()
        """
    assert names(tmp_path, text + FETCH) == ["lnx64"]


def test_a_download_counts_in_whichever_branch_it_is_with_the_values_of_that_branch(tmp_path: Path) -> None:
    text = f"""
        set(name first)
        if(WIN32)
          set(name windows)
          {FETCH}
        elseif(EXISTS "${{x}}")
          return()
        else()
          set(name rest)
          {FETCH}
        endif()
        {FETCH}
        """
    assert names(tmp_path, text) == ["rest", "windows"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("ON", True), ("0", False), ("name", True), ("absent", False), ('"name"', False), ("12", True),
        ("NOT absent", True), ("name STREQUAL x", True), ('"${name}" STREQUAL "y"', False),
        ("absent OR name AND NOT absent", True), ("(absent OR name) AND absent", False),
        ("DEFINED name", True), ("DEFINED absent", False), ("TARGET x", False), ('EXISTS "/"', False),
        ('"libx.so" MATCHES "\\\\.so$"', True), ("2 LESS 10", True), ("3.10 VERSION_GREATER 3.9", True),
        ("1 EQUAL 1.0", True), ("b IN_LIST list", True), ("off", False), ("wrong", False),
    ],
)  # fmt: skip
def test_a_condition_holds_as_in_cmake(tmp_path: Path, condition: str, holds: bool) -> None:
    text = f"""
        set(name x)
        set(list a b)
        set(off OFF)
        set(wrong x-NOTFOUND)
        if({condition})
          set(name yes)
        endif()
        {FETCH}
        """
    assert names(tmp_path, text) == (["yes"] if holds else ["x"])


def test_bracket_arguments_lists_and_appended_values_are_read(tmp_path: Path) -> None:
    text = f"""
        list(APPEND all one)
        list(APPEND all two)
        set(kept a CACHE STRING "help")
        unset(all_of)
        foreach(name IN LISTS all)
          {FETCH}
        endforeach()
        foreach(name IN ITEMS [=[three]=] ${{kept}})
          {FETCH}
        endforeach()
        """
    assert names(tmp_path, text) == ["a", "one", "three", "two"]


def test_scripts_without_the_command_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "broken.cmake").write_text("((( no script", encoding="utf-8")
    (tmp_path / "notes.txt").write_text(
        f"fetch(FILENAME a HASH {MD5} URL https://x.example/a)", encoding="utf-8"
    )
    assert (
        read(tmp_path, f"fetch(FILENAME a HASH {MD5} URL https://x.example/b)")[0].url
        == "https://x.example/b"
    )
    assert len(read(tmp_path, "set(a b)")) == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"fetch(FILENAME a HASH {MD5[:-1]} URL https://x.example/a)", "CMakeLists.txt:1: the file 'a' with"),
        (f"fetch(FILENAME a HASH {MD5} URL file:///etc/passwd)", "CMakeLists.txt:1: the file 'a' with"),
        (f"\nfetch(FILENAME ${{n}} HASH {MD5} URL https://x.example/a)", "CMakeLists.txt:2: the file ''"),
        ("fetch(FILENAME a", "CMakeLists.txt:1: fetch has no arguments"),
        ("fetch()\nif(X)\n", "CMakeLists.txt:1: the file ''"),
        ("if(X)\nfetch(", "CMakeLists.txt:2: fetch has no arguments"),
        ("if(A B C)\nfetch()\nendif()", "CMakeLists.txt:1: this condition cannot be read"),
        ("foreach(i a)\nfetch()\n", "CMakeLists.txt:1: this block has no end"),
        ('set(a "\nfetch()', "CMakeLists.txt:1: this is not cmake"),
        ("set(a xxxxxxxx)\n" + 'set(a "${a}${a}${a}${a}")\n' * 20 + "fetch()", "a text grows too long"),
        (
            "".join(f"foreach(i{n} 1 2 3 4 5 6 7 8 9)\n" for n in range(9))
            + "set(a)\n" + "endforeach()\n" * 9 + "fetch()", "no end after",
        ),
        ("if(X)\n" * 1000 + "fetch()\n" + "endif()\n" * 1000, "blocks are nested too deep"),
        ("if(" + "(" * 1000 + "X" + ")" * 1000 + ")\nfetch()\nendif()", "blocks are nested too deep"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_file_and_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert told in str(caught.value)
    assert str(caught.value).startswith("CMakeLists.txt:")


pieces = st.sampled_from(
    [
        "fetch", "set", "if", "endif", "else", "elseif", "foreach", "endforeach", "function", "(", ")", '"',
        "${", "}", "a", "\\", "[[", "]]", "NOT", "AND", "STREQUAL", "IN LISTS", "#", "\n", ";", MD5, "HASH",
        "URL", "FILENAME a",
    ]
)  # fmt: skip


@given(words=st.lists(pieces, max_size=30))
def test_whatever_a_script_holds_it_ends_in_downloads_or_in_one_told_error(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    try:
        found = read(tmp_path_factory.mktemp("tree"), "fetch(" + " ".join(words))
    except UsageError as error:
        assert str(error).startswith("CMakeLists.txt:")
    else:
        assert all(each.md5 == MD5 for each in found)
