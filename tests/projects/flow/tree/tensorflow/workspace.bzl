"""The external repositories."""

load("//third_party:repo.bzl", "tf_http_archive")
load("//third_party/py:python_configure.bzl", "python_configure")

def tf_workspace(path_prefix = "", tf_repo_name = ""):
    python_configure(name = "local_config_python")

    tf_http_archive(
        name = "mixing",
        build_file = "//third_party/mixing:mixing.BUILD",
        patch_file = "//third_party/mixing:without_sysctl.patch",
        sha256 = "SHA256_mixing",
        strip_prefix = "mixing-1.0",
        urls = [
            "URL/mixing-1.0.tar.gz",
        ],
    )
