"""`./inv netron`: a model in the browser."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from kiln.core import Console, Home
from kiln.models import environment, netron


def run(
    root: Path,
    home: Home,
    model: Path,
    port: int,
    offline: bool,
    variables: Mapping[str, str],
    console: Console,
) -> None:
    """Show a model with Netron on loopback until the person stops it."""
    file, free = netron.model(model), netron.free_port(port)
    with home.in_use(console):
        made = environment.make(home, Path(sys.executable), netron.pins(root), variables, offline, console)
    netron.check_age(made, datetime.now(timezone.utc))
    netron.serve(made, variables, file, free, Console.for_output())
