"""Bazel's calls to an engine that runs its actions, from a port of this container to Kiln's socket: FORWARD.py SOCKET PORT.

Bazel 0.26.1 can call a socket of files for a cache over HTTP alone.
"""

import socket
import sys
import threading


def copy(source, target):
    """Everything from one connection to another, and then its end."""
    try:
        while True:
            block = source.recv(1 << 16)
            if not block:
                break
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for each in (source, target):
            each.close()


def main(path, port):
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", int(port)))
        server.listen(128)
        while True:
            near, _ = server.accept()
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(path)
            except OSError:
                near.close()
                continue
            for pair in ((near, far), (far, near)):
                threading.Thread(target=copy, args=pair, daemon=True).start()


main(*sys.argv[1:])
