"""The external repositories."""

load("//third_party:repo.bzl", "tf_http_archive")
load("//third_party/py:python_configure.bzl", "python_configure")
load("//third_party/sums:workspace.bzl", sums = "repo")
load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive", "http_file")

_PARTS = {
    "one": ("mixing", "SHA256_mixing"),
    "two": ("stamps", "SHA256_stamps"),
}

def clean_dep(dep):
    return str(Label(dep))

def _mirrored(path):
    return [host + "/" + path for host in ("URL", "URL/.")]

def initialize_third_party():
    sums()

def tf_workspace(path_prefix = "", tf_repo_name = ""):
    initialize_third_party()
    if path_prefix:
        print("path_prefix was specified to tf_workspace but is no longer used")

    python_configure(name = "local_config_python")

    tf_http_archive(
        name = "mixing",
        build_file = clean_dep("//third_party/mixing:mixing.BUILD"),
        patch_file = clean_dep("//third_party/mixing:without_sysctl.patch"),
        sha256 = "SHA256_mixing",
        strip_prefix = "mixing-1.0",
        urls = [
            "URL/mixing-1.0.tar.gz",
        ],
    )

    for part, (name, sha256) in sorted(_PARTS.items()):
        tf_http_archive(
            name = "parts_" + part,
            build_file = clean_dep("//third_party:files.BUILD"),
            sha256 = sha256,
            strip_prefix = name + "-1.0",
            urls = _mirrored(name + "-1.0.tar.gz"),
        )

    # The WORKSPACE has it, and what is declared first counts.
    if not native.existing_rule("stamps"):
        http_archive(name = "stamps", sha256 = "0" * 64, urls = ["URL/never.tar.gz"])

    http_archive(
        name = "older",
        build_file_content = "filegroup(name = 'files', srcs = glob(['**']), visibility = ['//visibility:public'])",
        sha256 = "SHA256_mixing",
        url = "URL/mixing-1.0.tar.gz",
        **({"strip_prefix": "mixing-1.0"} if not tf_repo_name else {})
    )

    http_file(
        name = "notes",
        downloaded_file_path = "notes.tar.gz",
        sha256 = "SHA256_stamps",
        urls = ["URL/stamps-1.0.tar.gz"],
    )

    native.bind(
        name = "mixing_library",
        actual = "@mixing//:mixing",
    )
