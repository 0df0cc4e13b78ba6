"""The headers of the interpreter that ./configure was told."""

def _python_configure(ctx):
    python = ctx.os.environ["PYTHON_BIN_PATH"]
    done = ctx.execute([python, "-c", "import sysconfig; print(sysconfig.get_path('include'))"])
    if done.return_code:
        fail("%s does not run: %s" % (python, done.stderr))
    ctx.symlink(done.stdout.strip(), "include")
    ctx.file("BUILD", """
cc_library(
    name = "python_headers",
    hdrs = glob(["include/**/*.h"]),
    includes = ["include"],
    visibility = ["//visibility:public"],
)
""")

python_configure = repository_rule(
    implementation = _python_configure,
    environ = ["PYTHON_BIN_PATH"],
)
