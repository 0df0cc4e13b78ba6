"""Times the operations of a suite's speed.py in one or two environments that take turns, on one core.

speed.py OPERATIONS RESULT PYTHON [PYTHON]: OPERATIONS is a file with `operations()`, which gives for each name a call
of the wheel and a call of NumPy or None. The first PYTHON has the wheel under test, the second another one. RESULT gets
the least milliseconds of each as JSON. With one argument it is the worker that does the timing.
"""

import importlib.util
import json
import os
import subprocess
import sys
import time

ROUNDS = 3
SECONDS = 0.12


def least(call, seconds=SECONDS):
    """The shortest of many calls, in milliseconds: what is not the operation can only make a call longer."""
    call()
    shortest, end = float("inf"), time.perf_counter() + seconds
    while True:
        begun = time.perf_counter()
        call()
        ended = time.perf_counter()
        shortest = min(shortest, ended - begun)
        if ended > end:
            return shortest * 1000


def worker(path):
    specification = importlib.util.spec_from_file_location("operations", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    operations = module.operations()
    print(json.dumps({"version": module.VERSION, "names": list(operations)}), flush=True)
    for line in sys.stdin:
        kind, _, name = line.rstrip("\n").partition(" ")
        call = operations[name][kind == "numpy"]
        print(json.dumps(None if call is None else least(call)), flush=True)


def one_core():
    """On which nothing else of ours runs; every worker gets the same one and waits for its turn."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def environment():
    changed = {"TF_CPP_MIN_LOG_LEVEL": "2", "KMP_BLOCKTIME": "0"}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        changed[name] = "1"
    with open("/proc/cpuinfo") as lines:
        # OpenBLAS of 2020 takes newer processors for old ones.
        if " avx2 " in lines.read():
            changed["OPENBLAS_CORETYPE"] = "Haswell"
    return dict(os.environ, **changed)


def start(python, operations):
    process = subprocess.Popen(
        [python, "-W", "ignore", os.path.abspath(__file__), operations],
        env=environment(),
        preexec_fn=one_core,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    return process, answer(process)


def others(pythons, operations):
    """The workers of other wheels that can be imported here: what one of them lacks is its own affair."""
    for python in pythons:
        try:
            yield start(python, operations)
        except SystemExit:
            print("without the other wheel: its own error is above")


def answer(process):
    line = process.stdout.readline()
    if not line:
        raise SystemExit("kiln-error: a worker of the benchmark ended: its own error is above")
    return json.loads(line)


def ask(process, kind, name):
    process.stdin.write("{} {}\n".format(kind, name))
    process.stdin.flush()
    return answer(process)


def main(operations, result, *pythons):
    workers = [start(pythons[0], operations), *others(pythons[1:], operations)]
    names = workers[0][1]["names"]
    # NumPy is timed in the wheel's own environment: what is beside it there is what its users have.
    columns = [("wheel", workers[0][0]), ("numpy", workers[0][0])]
    columns += [("against", process) for process, _ in workers[1:]]
    rows = {name: {} for name in names}
    for _ in range(ROUNDS):
        for name in names:
            for column, process in columns:
                found = ask(process, "numpy" if column == "numpy" else "wheel", name)
                if found is not None:
                    rows[name][column] = min(found, rows[name].get(column, found))
    for process, _ in workers:
        process.stdin.close()
        process.wait()
    versions = [said["version"] for _, said in workers]
    with open(result, "w") as file:
        json.dump({"versions": versions, "rows": [dict(rows[name], name=name) for name in names]}, file)
    for name in names:
        print(name, rows[name])


if __name__ == "__main__":
    if len(sys.argv) > 2:
        main(*sys.argv[1:])
    else:
        worker(sys.argv[1])
