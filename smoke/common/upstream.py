"""Runs test files of a product's own source tree, each in a process of its own, in one or two environments.

upstream.py TESTS TREES FOLDER PYTHON [PYTHON]: TESTS is a suite's upstream.py. It has TREE, the name of the source tree
in TREES, `files(tree)`, the paths of all test files, `command(python, file, tree, report)`, which runs one and writes a
report in JUnit's form, and KNOWN, the reasons for which tests cannot pass, by name (`file::class::test`).
FOLDER gets results.json: for each environment how each test ended. KILN_UPSTREAM_SAMPLE is how many files are run (0: all),
KILN_UPSTREAM_ONLY a pattern for their names, KILN_UPSTREAM_SECONDS the longest that one may take.
"""

import fnmatch
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor


def load(path):
    specification = importlib.util.spec_from_file_location("tests", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def sample(files, number, only):
    """The files to run: by the digest of their names, so that a larger sample has all of a smaller one."""
    chosen = [file for file in files if fnmatch.fnmatchcase(file, only or "*")]
    chosen.sort(key=lambda file: hashlib.sha256(file.encode()).hexdigest())
    return sorted(chosen[:number] if number else chosen)


def run(tests, python, file, tree, folder, seconds):
    """How each test of a file ended: passed, skipped or failed, and why."""
    if os.path.exists(folder):
        shutil.rmtree(folder)
    os.makedirs(folder)
    report = os.path.join(folder, "report.xml")
    command, more = tests.command(python, file, tree, report)
    # Other environments' Pythons must not see what is installed for this one.
    variables = {**{k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, **more, "TMPDIR": folder}
    log = os.path.join(folder, "log.txt")
    with open(log, "wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return {file: ("failed", "not finished after %d s" % seconds)}
    found = dict(cases(file, report)) if os.path.exists(report) else {}
    if found and (status == 0 or any(ending == "failed" for ending, _ in found.values())):
        return found
    with open(log, errors="replace") as stream:
        said = [line.strip() for line in stream if line.strip()]
    why = "status %d: %s" % (status, said[-1] if said else "it printed nothing")
    return {**found, file: ("failed" if status else "skipped", why if status else "it has no test")}


def cases(file, report):
    try:
        root = ElementTree.parse(report).getroot()  # noqa: S314
    except ElementTree.ParseError:
        return
    for case in root.iter("testcase"):
        name = "::".join([file, case.get("classname", "").rpartition(".")[2], case.get("name", "")])
        bad = next((case.find(tag) for tag in ("failure", "error") if case.find(tag) is not None), None)
        if bad is not None:
            said = (bad.get("message") or "").strip().splitlines()[:1] or (
                bad.text or ""
            ).strip().splitlines()[-1:]
            yield name, ("failed", said[0][:300] if said else "it gave no reason")
        elif case.find("skipped") is not None or case.get("status") == "notrun":
            yield name, ("skipped", "")
        else:
            yield name, ("passed", "")


def main(path, trees, folder, *pythons):
    tests = load(path)
    tree = os.path.join(trees, tests.TREE)
    every = sorted(tests.files(tree))
    number, only = int(os.environ.get("KILN_UPSTREAM_SAMPLE", "0")), os.environ.get("KILN_UPSTREAM_ONLY", "")
    seconds = int(os.environ.get("KILN_UPSTREAM_SECONDS", "600"))
    files = sample(every, number, only)
    if not files:
        sys.exit("kiln-error: of %d test files none is named %s" % (len(every), only))
    print("kiln-total: %d" % (len(files) * len(pythons)), flush=True)
    found = [{} for _ in pythons]
    jobs = [(which, python, file) for file in files for which, python in enumerate(pythons)]

    def one(job):
        which, python, file = job
        own = os.path.join(folder, "%d-%s" % (which, file.replace("/", "-")))
        return job, run(tests, python, file, tree, own, seconds)

    with ThreadPoolExecutor(int(os.environ.get("KILN_JOBS", "1"))) as pool:
        for done, ((which, _, file), results) in enumerate(pool.map(one, jobs), 1):
            found[which].update(results)
            failed = sum(ending == "failed" for ending, _ in results.values())
            print(
                "[%d/%d] %s: %d tests, %d failed" % (done, len(jobs), file, len(results), failed), flush=True
            )
    with open(os.path.join(folder, "results.json"), "w") as stream:
        json.dump(
            {"files": len(files), "of": len(every), "known": tests.KNOWN, "wheel": found[0],
             "against": found[1] if len(found) > 1 else None},
            stream, indent=1, sort_keys=True,
        )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
