"""An external with a macro in a folder of its own."""

load("//third_party:repo.bzl", "tf_http_archive")

VERSION = "1.0"

def repo():
    tf_http_archive(
        name = "sums",
        build_file = "//third_party:files.BUILD",
        sha256 = "SHA256_mixing",
        strip_prefix = "mixing-{}/".format(VERSION),
        urls = ["URL/mixing-%s.tar.gz" % VERSION],
    )
