"""Compiles the files that come by distcc, some beside others."""

import os
import pathlib
import socket
import subprocess
import threading

DISTCCD = ["/kiln/worker/distccd", "--inetd", "--enable-tcp-insecure", "--log-stderr", "--log-level=error"]


def copy(read, write, close):
    """Everything from one end to another."""
    try:
        while block := read(1 << 16):
            write(block)
    except OSError:
        pass
    close()


def compiled(call):
    """Compile the file of one call. Its connection is a pipe for distcc's server, as ssh has it."""
    server = subprocess.Popen(DISTCCD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    ends = (call.recv, server.stdin.write, server.stdin.close)
    threading.Thread(target=copy, args=ends, daemon=True).start()
    copy(server.stdout.read, call.sendall, lambda: call.shutdown(socket.SHUT_WR))
    server.wait()


def work():
    """Wait for one call after another."""
    while True:
        with socket.socket(socket.AF_UNIX) as call:
            call.connect(os.environ["KILN_WORKER_SOCKET"])
            if call.recv(1) == b"+":
                compiled(call)


for folder in (os.environ["HOME"], os.environ["TMPDIR"]):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
workers = [threading.Thread(target=work) for _ in range(int(os.environ["KILN_JOBS"]))]
for each in workers:
    each.start()
for each in workers:
    each.join()
