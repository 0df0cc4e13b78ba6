from __future__ import annotations

import stat
from pathlib import Path

import pytest

from kiln.core import UsageError
from kiln.shared import remote_executor, shared_cache


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path)}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "kiln").mkdir()
    return tmp_path / "kiln" / "config.yaml"


def test_without_a_word_there_is_none(environment: dict[str, str]) -> None:
    assert shared_cache(environment) is None


def test_a_person_reads_and_ci_writes(environment: dict[str, str]) -> None:
    found = shared_cache(environment, "http://cache.example:8080/kiln/")
    assert found and (found.url, found.write) == ("http://cache.example:8080/kiln", False)
    ci = {"KILN_REMOTE_CACHE": "redis://cache.example", "KILN_REMOTE_CACHE_WRITE": "1"}
    found = shared_cache({**environment, **ci, "KILN_REMOTE_CACHE_LOGIN": "me:secret"})
    assert found and (found.url, found.write, found.login) == ("redis://cache.example", True, "me:secret")
    assert "secret" not in repr(found)


def test_the_option_goes_before_the_environment_and_that_before_the_file(
    environment: dict[str, str], config: Path
) -> None:
    config.write_text("remote_cache: http://file.example\n")
    from_file = shared_cache(environment)
    environment["KILN_REMOTE_CACHE"] = "http://environment.example"
    from_environment, from_option = (
        shared_cache(environment),
        shared_cache(environment, "http://option.example"),
    )
    found = [each.url for each in (from_file, from_environment, from_option) if each]
    assert found == ["http://file.example", "http://environment.example", "http://option.example"]
    assert shared_cache(environment, "off") is None
    assert shared_cache({**environment, "KILN_REMOTE_CACHE": "off"}) is None


def test_the_login_of_a_cache_is_given_to_no_other(environment: dict[str, str], config: Path) -> None:
    login = config.with_name("login")
    login.write_text("me:secret\n")
    login.chmod(stat.S_IRUSR)
    config.write_text(
        "remote_cache: {url: 'https://cache.example/', write: true, login_file: login, key_file: login}\n"
    )
    own, other = shared_cache(environment), shared_cache(environment, "https://other.example")
    assert own and (own.write, own.login, own.key) == (True, "me:secret", "me:secret")
    assert other and (other.write, other.login, other.key) == (False, "", "")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("cache.example", "not the address of a cache"),
        ("ftp://cache.example", "not the address of a cache"),
        ("http://", "not the address of a cache"),
        ("http://cache.example:0/x", "not the address of a cache"),
        ("http://cache.example:x", "not the address of a cache"),
        ("http://cache.example/?key=x", "not the address of a cache"),
        ("http://me:secret@cache.example/", "has a login in the address"),
    ],
)
def test_what_is_no_address_is_refused_without_its_login(
    environment: dict[str, str], url: str, says: str
) -> None:
    with pytest.raises(UsageError) as refused:
        shared_cache(environment, url)
    assert says in str(refused.value) and "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("remote_cash: x\n", "no such key here"),
        (
            "remote_cache: {url: 'http://cache.example', login_file: missing}\n",
            "missing, which config.yaml names",
        ),
        ("remote_cache: [1]\n", "config.yaml:1"),
        ("remote_cache: {write: true}\n", "'url' is missing"),
    ],
)
def test_a_mistake_in_the_file_is_named(
    environment: dict[str, str], config: Path, text: str, says: str
) -> None:
    config.write_text(text)
    with pytest.raises(UsageError) as refused:
        shared_cache(environment)
    assert says in str(refused.value)


def test_an_executor_is_named_by_the_option_the_environment_or_the_file(
    environment: dict[str, str], config: Path
) -> None:
    assert remote_executor(environment) is None
    config.write_text("remote_executor: {url: 'grpc://engine.example:50051/main/', login_file: login}\n")
    (config.parent / "login").write_text("me:secret\n")
    own = remote_executor(environment)
    assert own and (own.url, own.instance, own.login) == (
        "grpc://engine.example:50051/main", "main", "me:secret",
    )  # fmt: skip
    assert "secret" not in repr(own)
    other = remote_executor(environment, "grpcs://other.example")
    assert other and (other.url, other.instance, other.login) == ("grpcs://other.example", "", "")
    assert remote_executor(environment, "off") is None
    named = remote_executor({**environment, "KILN_REMOTE_EXECUTOR": "grpc://a:1"})
    assert named and named.url == "grpc://a:1"
    with pytest.raises(UsageError) as refused:
        remote_executor(environment, "http://engine.example")
    assert "not the address of a remote executor" in str(refused.value) and "grpc://" in str(refused.value)
