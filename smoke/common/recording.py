"""What the report tells beside the outcome of each test: the area it belongs to, and where it ran."""

import ast
import os
import platform
import sys

import pytest

WHOLE = {}  # the area of each file that is skipped as a whole: none of its tests is there to say it


def pytest_collection_modifyitems(items):
    for item in items:
        item.user_properties.append(("area", area(item.module.__doc__, item.module.__name__)))


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and isinstance(collector, pytest.Module):
        with open(str(collector.fspath), encoding="utf-8") as file:
            WHOLE[report.nodeid] = area(ast.get_docstring(ast.parse(file.read())), report.nodeid)


def area(docstring, name):
    return (docstring or name).strip().splitlines()[0].rstrip(".")


@pytest.fixture(scope="session", autouse=True)
def environment(record_testsuite_property):
    for nodeid, title in WHOLE.items():
        record_testsuite_property("area of " + nodeid, title)
    record_testsuite_property("python", sys.version.split()[0])
    record_testsuite_property("system", system())
    record_testsuite_property("glibc", " ".join(platform.libc_ver()))
    record_testsuite_property("kernel", platform.release())
    record_testsuite_property("processor", processor())
    record_testsuite_property("cores", len(os.sched_getaffinity(0)))


def system():
    with open("/etc/os-release") as lines:
        pairs = dict(line.rstrip("\n").partition("=")[::2] for line in lines)
    return pairs.get("PRETTY_NAME", "").strip('"')


def processor():
    with open("/proc/cpuinfo") as lines:
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
