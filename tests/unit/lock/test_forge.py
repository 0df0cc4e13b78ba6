from __future__ import annotations

import pytest

from kiln.lock import forge

COMMIT = "c0ffee" * 6 + "c0ff"


@pytest.mark.parametrize(
    ("url", "folder", "repository", "reference", "prefix", "kind"),
    [
        (f"https://github.com/o/r/archive/{COMMIT}.tar.gz", "", "o/r", COMMIT, f"r-{COMMIT}/", "tar.gz"),
        ("https://github.com/o/r/archive/v1.2.zip", "", "o/r", "v1.2", "r-1.2/", "zip"),
        ("https://github.com/o/r/archive/vanilla.zip", "", "o/r", "vanilla", "r-vanilla/", "zip"),
        ("https://github.com/o/r.x/archive/refs/tags/a/b.tar.gz", "", "o/r.x", "a/b", "r.x-a-b/", "tar.gz"),
        ("http://mirror.example/github.com/o/r/archive/1.tgz", "", "o/r", "1", "r-1/", "tar.gz"),
        (
            "https://github.com/old/name/archive/v2.tar.gz",
            "new-2/src/x",
            "old/name",
            "v2",
            "new-2/",
            "tar.gz",
        ),
    ],
)
def test_an_archive_of_a_forge_is_known_by_its_url(
    url: str, folder: str, repository: str, reference: str, prefix: str, kind: str
) -> None:
    found = forge.archive(url, folder)
    assert found is not None
    assert found.repository == f"https://github.com/{repository}"
    assert (found.reference, found.prefix, found.format) == (reference, prefix, kind)
    assert found.commit == (reference if reference == COMMIT else None)


def test_gitlabs_archives_keep_the_v_of_a_version() -> None:
    found = forge.archive("https://gitlab.com/group/sub/r/-/archive/v1/r-v1.tar.gz")
    assert found == forge.Archive("https://gitlab.com/group/sub/r", "v1", "r-v1/", "tar.gz")


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/o/r/releases/download/1/r-1.tar.gz",
        "https://x.example/archive/1.tar.gz",
        "https://github.com/o/r/archive/1.exe",
    ],
)
def test_other_urls_are_no_archives(url: str) -> None:
    assert forge.archive(url) is None


def test_the_archive_of_a_repository_is_the_one_that_its_url_names() -> None:
    url, made = forge.at("https://github.com/o/r.git", "v3", "zip")
    assert url == "https://github.com/o/r/archive/v3.zip"
    assert made == forge.archive(url)
    with pytest.raises(ValueError, match="is not a repository whose archives are known"):
        forge.at("https://git.example/r", "v3")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/packages/source/s/six/six-1.10.0.tar.gz", ("six", "six-1.10.0.tar.gz")),
        (f"/packages/aa/bb/{'0' * 60}/a.b-c-1.0rc1.tar.gz", ("a.b-c", "a.b-c-1.0rc1.tar.gz")),
        (f"/packages/aa/bb/{'0' * 60}/a_b-2-py3-none-any.whl", ("a_b", "a_b-2-py3-none-any.whl")),
        ("/packages/six-1.10.0.tar.gz", None),
        ("/download/source/s/six/six-1.10.0.tar.gz", None),
    ],
)
def test_a_package_indexs_file_is_known_on_any_host(path: str, expected: tuple[str, str] | None) -> None:
    assert forge.package(f"https://index.example{path}") == expected
    assert forge.package(f"https://mirror.example/index.example{path}") == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://host.example/maven2/com/x/a/1.0/a-1.0.jar", True),
        ("http://mirror.example/host.example/debian/pool/main/e/expat/libexpat1_2.1.0-6_amd64.deb", True),
        ("https://x.example/maven/a-1.0.jar", False),
    ],
)
def test_packages_of_java_and_debian_are_known_on_any_host(url: str, expected: bool) -> None:
    assert forge.pooled(url) is expected
