"""What the report tells beside the outcome of each test: the area it belongs to, and where it ran."""

import os
import platform
import sys

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        summary = (item.module.__doc__ or item.module.__name__).strip().splitlines()[0]
        item.user_properties.append(("area", summary.rstrip(".")))


@pytest.fixture(scope="session", autouse=True)
def environment(record_testsuite_property):
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
