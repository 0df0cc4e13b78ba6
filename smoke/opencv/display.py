"""A display of its own for a test, with hands: Xvfb and xdotool, where they are installed."""

import os
import shutil
import struct
import subprocess
import time

import numpy as np

WIDTH, HEIGHT = 640, 480


class Display:
    """A running Xvfb, whose screen is a file in the folder.

    Raises RuntimeError where it does not start.
    """

    def __init__(self, folder):
        self._screen = os.path.join(str(folder), "Xvfb_screen0")
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "{}x{}x24".format(WIDTH, HEIGHT)]
        command += ["-nolisten", "tcp", "-noreset", "-fbdir", str(folder)]
        with open(os.path.join(str(folder), "xvfb.log"), "wb") as log:
            self._server = subprocess.Popen(command, pass_fds=[write], stdout=log, stderr=log)
        os.close(write)
        with os.fdopen(read) as stream:
            number = stream.readline().strip()
        if not number:
            self.stop()
            with open(os.path.join(str(folder), "xvfb.log"), errors="replace") as log:
                raise RuntimeError("Xvfb does not start: " + log.read())
        self.name = ":" + number

    def stop(self):
        self._server.terminate()
        self._server.wait()

    def do(self, *words):
        """Let xdotool do what these words say; CalledProcessError where it cannot."""
        self._xdotool(*words).check_returncode()

    def windows(self, title):
        """The numbers of the windows with this title."""
        # A search looks at the first title alone.
        found = self._xdotool("search", "--name", ".").stdout.decode().split()
        return [
            each for each in found if self._xdotool("getwindowname", each).stdout.decode().strip() == title
        ]

    def _xdotool(self, *words):
        environment = dict(os.environ, DISPLAY=self.name)
        command = ["xdotool"] + [str(word) for word in words]
        return subprocess.run(command, env=environment, stdout=subprocess.PIPE)

    def screen(self):
        """What is on the screen, as BGR."""
        with open(self._screen, "rb") as file:
            content = file.read()
        header = struct.unpack(">25I", content[:100])
        size, height, stride, colours = header[0], header[5], header[12], header[19]
        start = size + colours * 12
        pixels = np.frombuffer(content, np.uint8, height * stride, start).reshape(height, stride // 4, 4)
        return np.ascontiguousarray(pixels[:, : header[4], :3])


def is_there():
    return all(map(shutil.which, ("Xvfb", "xdotool")))


def until(condition, seconds=20):
    """Wait until a condition gives something true, and return that; AssertionError after some seconds."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, "nothing came of it in {} seconds".format(seconds)
