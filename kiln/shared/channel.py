"""A connection to a server that speaks gRPC: a cache, or an engine that runs actions."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import grpc

# The package of the remote execution API's services.
API = "/build.bazel.remote.execution.v2"
PORTS = {"grpc": 80, "grpcs": 443}
# The largest message in bytes: a server's own limit is 4 MB, and some have larger ones.
MOST = 64 << 20


def channel_to(url: str) -> grpc.Channel:
    """A channel to grpc://HOST:PORT, or with TLS to grpcs://HOST:PORT; nothing is asked yet."""
    # What it logs is for those who work on it.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    import grpc

    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    address = f"{host}:{parts.port or PORTS[parts.scheme]}"
    options = [
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", MOST),
        ("grpc.max_send_message_length", MOST),
        # A machine that is gone says nothing.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.max_reconnect_backoff_ms", 10_000),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if parts.scheme == "grpc":
        return grpc.insecure_channel(address, options)
    own = os.environ.get("REQUESTS_CA_BUNDLE")
    roots = Path(own).read_bytes() if own and Path(own).is_file() else None
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(roots), options)


def authorised(login: str) -> tuple[tuple[str, str], ...]:
    """The metadata by which a login is shown: USER:PASSWORD or a token."""
    if not login:
        return ()
    basic = f"Basic {base64.b64encode(login.encode()).decode()}"
    return (("authorization", basic if ":" in login else f"Bearer {login}"),)


def reason(error: Any) -> str:
    """Why a call failed, in a few words: its code, and the first line of what the server says."""
    code = error.code().name if error.code() else "UNKNOWN"
    said = str(error.details() or "").splitlines()[:1]
    return " ".join([f"answers {code}", *said])[:120]
