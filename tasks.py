"""Kiln's tasks for Invoke; `./inv` runs this file. What each task does is in kiln/cli and kiln/commands."""

import os
import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # The imports take a part of a second, in which there is nothing to clean up and nothing to say.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))

from pathlib import Path

from kiln import cli

ROOT = Path(__file__).resolve().parent

if __name__ == "__main__":
    cli.main(ROOT)
else:
    namespace = cli.collection(ROOT)
