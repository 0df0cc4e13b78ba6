"""A registry on loopback with one image, made of a root file system."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"
NAME = "some/debian"


@contextlib.contextmanager
def registry(root: Path) -> Iterator[str]:
    """The reference of an image by its digest; `root` is a tar of its root file system."""
    layer = hashlib.sha256(root.read_bytes()).hexdigest()
    config = _text(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/nowhere"], "Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        }
    )
    manifest = _text(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _described(CONFIG, len(config), hashlib.sha256(config).hexdigest()),
            "layers": [_described(LAYER, root.stat().st_size, layer)],
        }
    )
    digest = hashlib.sha256(manifest).hexdigest()
    place = f"/v2/{NAME}"
    answers: dict[str, tuple[str, bytes | Path]] = {
        "/v2/": ("application/json", b"{}"),
        f"{place}/manifests/sha256:{digest}": (MANIFEST, manifest),
        f"{place}/blobs/sha256:{hashlib.sha256(config).hexdigest()}": ("application/octet-stream", config),
        f"{place}/blobs/sha256:{layer}": ("application/octet-stream", root),
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, found = answers.get(self.path, ("", b""))
            data = found.read_bytes() if isinstance(found, Path) else found
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind or "text/plain")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            if kind == MANIFEST:
                self.send_header("Docker-Content-Digest", f"sha256:{digest}")
            self.end_headers()
            if self.command == "GET":
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(data)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}/{NAME}@sha256:{digest}"
        finally:
            server.shutdown()


def _described(kind: str, size: int, sha256: str) -> dict[str, object]:
    return {"mediaType": kind, "size": size, "digest": f"sha256:{sha256}"}


def _text(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
