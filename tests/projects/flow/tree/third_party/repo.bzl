"""An external archive with a BUILD file and a patch of this workspace's own."""

def _tf_http_archive(ctx):
    ctx.download_and_extract(ctx.attr.urls, "", ctx.attr.sha256, ctx.attr.type, ctx.attr.strip_prefix)
    if ctx.attr.patch_file:
        patch = ctx.path(ctx.attr.patch_file)
        done = ctx.execute(["patch", "-p1", "-d", ctx.path("."), "-i", patch])
        if done.return_code:
            fail("%s does not fit %s: %s%s" % (patch, ctx.name, done.stdout, done.stderr))
    if ctx.attr.build_file:
        ctx.symlink(ctx.path(ctx.attr.build_file), "BUILD.bazel")

tf_http_archive = repository_rule(
    implementation = _tf_http_archive,
    attrs = {
        "sha256": attr.string(mandatory = True),
        "urls": attr.string_list(mandatory = True),
        "strip_prefix": attr.string(),
        "type": attr.string(),
        "patch_file": attr.label(),
        "build_file": attr.label(),
    },
)
