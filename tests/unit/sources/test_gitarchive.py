from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiln.recipe.source import GitOrigin
from kiln.sources import gitarchive
from kiln.sources.errors import OriginError, WrongContentError
from tests.support import web
from tests.support.gits import Repository, git
from tests.support.served import served
from tests.support.web import Site

FILES = {"README": "read me\n", "sub/file": "line\r\nline\n"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "forge", FILES)


def recreated(origin: GitOrigin, place: object, tmp_path: Path, **variables: str) -> bytes:
    folder = tmp_path / "workspace"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return gitarchive.recreate(origin, str(place), folder, {**os.environ, **variables}).read_bytes()


def refusal(origin: GitOrigin, place: object, tmp_path: Path, **variables: str) -> str:
    with pytest.raises(OriginError) as caught:
        recreated(origin, place, tmp_path, **variables)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("format", ["tar.gz", "zip"])
@pytest.mark.parametrize("sized", [True, False])
def test_the_forges_archive_comes_out_of_any_repository_bit_for_bit(
    repository: Repository, tmp_path: Path, format: str, sized: bool
) -> None:
    archive = repository.forge_archive(format)
    origin = repository.origin(archive, format, sized)
    bare = repository.bare(tmp_path)
    for place in (repository.path, bare, f"file://{bare}"):
        assert recreated(origin, place, tmp_path) == archive


def test_a_zip_has_the_times_of_the_forges_zone_in_winter(repository: Repository, tmp_path: Path) -> None:
    utc, summer = repository.forge_archive("zip", "UTC"), repository.forge_archive("zip", "XXX7")
    for archive in (utc, summer):
        origin = repository.origin(archive, "zip")
        assert "another archive" in refusal(origin, repository.path, tmp_path)


@pytest.fixture
def static(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A plain file server, which knows nothing of git."""
    with served(tmp_path) as address:
        yield address, tmp_path


def test_a_plain_file_server_serves_as_a_git_mirror(
    repository: Repository, static: tuple[str, Path], tmp_path: Path
) -> None:
    address, folder = static
    git(repository.bare(folder), "update-server-info")
    archive = repository.forge_archive()
    assert recreated(repository.origin(archive), f"{address}/owner/name.git", tmp_path) == archive


def test_what_a_user_has_configured_changes_no_byte(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = repository.origin(archive := repository.forge_archive())
    (tmp_path / "attributes").write_text("README export-ignore\n* text eol=crlf filter=x\n")
    (tmp_path / "gitconfig").write_text(
        "[core]\nautocrlf = true\neol = crlf\nabbrev = 5\n"
        f"attributesFile = {tmp_path}/attributes\n[tar]\numask = 0077\n[tar \"tar.gz\"]\ncommand = false\n"
        "[filter \"x\"]\nsmudge = sed s/e/x/\n"
    )  # fmt: skip
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    bare = f"file://{repository.bare(tmp_path)}"
    for place in (repository.path, bare):
        assert recreated(origin, place, tmp_path, GZIP="-1", TZ="Asia/Tokyo") == archive


@pytest.mark.parametrize("local", [True, False])
def test_a_mirror_can_run_nothing_on_this_machine(
    repository: Repository, tmp_path: Path, local: bool
) -> None:
    """A repository's own configuration can name programs; attributes inside a commit can call for them."""
    repository.commit = repository.add({".gitattributes": "* filter=evil\n"})
    archive = repository.forge_archive()
    bare = repository.bare(tmp_path)
    git(bare, "config", "filter.evil.smudge", f"touch {tmp_path}/was-run; cat")
    (bare / "info").mkdir(exist_ok=True)
    (bare / "info" / "attributes").write_text("* filter=evil\nREADME export-ignore\n")
    assert recreated(repository.origin(archive), bare if local else f"file://{bare}", tmp_path) == archive
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize("local", [True, False])
def test_names_of_tags_that_git_writes_into_files_come_out_right(
    repository: Repository, tmp_path: Path, local: bool
) -> None:
    subst = {".gitattributes": "version export-subst\n", "version": "$Format:%H %D %(describe)$\n"}
    repository.commit = repository.add(subst)
    git(repository.path, "tag", "--annotate", "v1", "--message=x")
    commit = repository.commit
    repository.add({"later": "x"})
    bare = repository.bare(tmp_path)
    archive = repository.forge_archive(commit=commit)
    assert recreated(repository.origin(archive), bare if local else f"file://{bare}", tmp_path) == archive


@pytest.mark.parametrize("local", [True, False])
def test_a_tag_that_was_moved_does_not_change_what_is_taken(
    repository: Repository, tmp_path: Path, local: bool
) -> None:
    archive = repository.forge_archive()
    repository.add({"README": "evil\n"})
    git(repository.path, "tag", "1")
    bare = repository.bare(tmp_path)
    assert recreated(repository.origin(archive), bare if local else f"file://{bare}", tmp_path) == archive


@pytest.mark.parametrize("local", [True, False])
def test_a_mirror_in_which_the_commit_was_replaced_gives_nothing(
    repository: Repository, tmp_path: Path, local: bool
) -> None:
    origin = repository.origin(repository.forge_archive())
    git(repository.path, "checkout", "--quiet", "--orphan", "other")
    repository.add({"README": "evil\n"})
    git(repository.path, "branch", "--quiet", "--delete", "--force", "main")
    bare = repository.bare(tmp_path)
    assert "git says: " in refusal(origin, bare if local else f"file://{bare}", tmp_path)


@pytest.mark.parametrize("local", [True, False])
def test_a_replaced_object_is_not_looked_at(repository: Repository, tmp_path: Path, local: bool) -> None:
    archive = repository.forge_archive()
    evil = repository.add({"README": "evil\n"})
    git(repository.path, "replace", repository.commit, evil)
    bare = repository.bare(tmp_path)
    assert recreated(repository.origin(archive), bare if local else f"file://{bare}", tmp_path) == archive


@pytest.mark.parametrize("local", [True, False])
def test_a_mirror_that_lacks_an_object_gives_nothing(
    repository: Repository, tmp_path: Path, local: bool
) -> None:
    origin = repository.origin(repository.forge_archive())
    blob = git(repository.path, "rev-parse", "HEAD:sub/file")
    (repository.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    place = repository.path if local else f"file://{repository.path}"
    assert refusal(origin, place, tmp_path).startswith("git says: ")


def test_a_local_mirror_that_lacks_objects_does_not_fetch_them(
    repository: Repository, tmp_path: Path, site: Site
) -> None:
    origin = repository.origin(repository.forge_archive())
    git(repository.path, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial.git"
    url = f"file://{repository.path}"
    git(tmp_path, "clone", "--quiet", "--bare", "--filter=blob:none", url, str(partial))
    git(partial, "config", "remote.origin.url", f"{site.address}/owner/name.git")
    assert refusal(origin, partial, tmp_path)
    assert site.asked == []


def test_another_archive_is_told_with_its_hash_and_bounded_by_the_pinned_size(
    repository: Repository, tmp_path: Path
) -> None:
    origin = repository.origin(repository.forge_archive())
    fields = {**origin.__dict__, "sha256": "0" * 64}
    with pytest.raises(WrongContentError, match=f"another archive, with the sha256 {origin.sha256}"):
        recreated(GitOrigin(**fields), repository.path, tmp_path)
    with pytest.raises(WrongContentError, match="another archive, of more than 10 bytes"):
        recreated(GitOrigin(**{**fields, "size": 10}), repository.path, tmp_path)


def test_what_is_no_repository_is_told_in_one_line_without_the_login(
    repository: Repository, tmp_path: Path, site: Site
) -> None:
    origin = repository.origin(b"")
    assert refusal(origin, tmp_path / "nothing", tmp_path)
    assert refusal(origin, tmp_path, tmp_path)
    login = site.address.replace("://", "://me:secret@")
    told = refusal(origin, f"{login}/owner/name.git", tmp_path)
    assert told.startswith("git says: ")
    assert "secret" not in told
    with web.closed_port() as address:
        assert refusal(origin, f"{address}/owner/name.git", tmp_path).startswith("git says: ")


@pytest.mark.parametrize("place", ["ext::sh -c touch% {}/was-run", "--upload-pack=touch {}/was-run"])
def test_a_place_that_is_a_command_is_not_run(repository: Repository, tmp_path: Path, place: str) -> None:
    assert refusal(repository.origin(b""), place.format(tmp_path), tmp_path)
    assert not (tmp_path / "was-run").exists()


def test_variables_of_a_hook_do_not_lead_to_another_repository(
    repository: Repository, tmp_path: Path
) -> None:
    archive = repository.forge_archive()
    other = Repository(tmp_path / "other", {"x": "x"})
    variables = {"GIT_DIR": f"{other.path}/.git", "GIT_WORK_TREE": str(other.path), "GIT_INDEX_FILE": "/x"}
    for place in (repository.path, f"file://{repository.path}"):
        assert recreated(repository.origin(archive), place, tmp_path, **variables) == archive


def test_without_git_that_is_what_is_told(repository: Repository, tmp_path: Path) -> None:
    place = f"file://{repository.path}"
    assert refusal(repository.origin(b""), place, tmp_path, PATH="/nowhere").startswith("needs git")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://forge.example/owner/name", ["/m/owner/name.git", "https://m/owner-name"]),
        ("https://forge.example/owner/name.git/", ["/m/owner/name.git", "https://m/owner-name"]),
        ("https://forge.example/group/owner/name", ["/m/group/owner/name.git", "https://m/group/owner-name"]),
        ("https://forge.example/name", []),
        ("https://forge.example/../name", []),
        ("https://forge.example/owner/..", []),
        ("https://forge.example/own er/name", []),
        ("https://forge.example/{repo}/name", []),
    ],
)
def test_a_mirrors_place_is_filled_in_from_owner_and_repository(url: str, expected: list[str]) -> None:
    origin = GitOrigin(url, "0" * 40, "x/", "zip", "0" * 64)
    assert gitarchive.mirrors(origin.git, ("/m/{owner}/{repo}.git", "https://m/{owner}-{repo}")) == expected
