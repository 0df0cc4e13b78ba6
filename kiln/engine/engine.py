"""The container engine: the only module that talks to the Docker API, which Podman's service speaks, too."""

from __future__ import annotations

import contextlib
import os
import re
import resource
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import docker
import docker.errors
import requests
import urllib3
from docker.models.containers import Container
from docker.types import Mount as DockerMount
from docker.types import Ulimit

from kiln.core import EngineError
from kiln.plan import Limits

LABEL = "org.kiln.build"
# The first user that distributions give to people: what a build started by root runs as.
PLAIN_USER = 1000
OPEN_FILES = 16384
PATIENCE = 120  # seconds that the engine may take to answer

LOST = (
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ReadTimeout,
    urllib3.exceptions.ProtocolError,
    urllib3.exceptions.ReadTimeoutError,
)


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine at a fixed place in a container."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Run:
    """One command in one container of one image."""

    image: str
    command: tuple[str, ...]
    label: str
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    workdir: str = "/"
    limits: Limits = field(default_factory=Limits)


class Engine:
    """A connection to a container engine; close it to stop what was started for it."""

    def __init__(self, client: docker.DockerClient, url: str, stop: Callable[[], None]) -> None:
        self._client = client
        self._stop = stop
        with engine_errors(url):
            info = client.info()
            # Podman 4 says it in a field of its own, Docker among its security options.
            options = info.get("SecurityOptions") or []
            self._rootless = bool(info.get("Rootless")) or any("rootless" in option for option in options)
            self.version = str(client.version().get("Version", ""))
            components = client.version().get("Components") or []
        self._podman = any("podman" in str(part.get("Name", "")).lower() for part in components)
        self.name = "Podman" if self._podman else "Docker"

    def close(self) -> None:
        with contextlib.suppress(*LOST):
            self._client.close()
        self._stop()

    @property
    def owner(self) -> int | None:
        """The user id to which a build's writable folders must belong; None where they already do."""
        return PLAIN_USER if os.getuid() == 0 and not self._rootless else None

    def has_image(self, tag: str) -> bool:
        with engine_errors(self.name):
            try:
                self._client.images.get(tag)
            except docker.errors.ImageNotFound:
                return False
        return True

    def images(self, beginning: str) -> dict[str, int]:
        """The images whose tag begins so, and the size of each in bytes, with what it shares with others."""
        with engine_errors(self.name):
            return {
                tag: int(image.attrs.get("Size") or 0)
                for image in self._client.images.list()
                for tag in image.tags
                if tag.startswith(beginning)
            }

    def remove_image(self, tag: str) -> bool:
        """Remove an image's tag, and with its last tag the image; False where a container uses it."""
        with engine_errors(self.name):
            try:
                self._client.images.remove(tag)
            except docker.errors.ImageNotFound:
                return True
            except docker.errors.APIError as error:
                if error.status_code == 409:
                    return False
                raise
        return True

    def image_id(self, tag: str) -> str:
        """The engine's own content id of an image."""
        with engine_errors(self.name):
            return str(self._client.images.get(tag).id)

    def export_root(self, tag: str, archive: Path) -> None:
        """The root file system of an image as a tar, as the engine makes it."""
        with engine_errors(self.name), archive.open("wb") as file:
            container = self._client.containers.create(tag, ["true"], labels={LABEL: "export"})
            try:
                file.writelines(container.export(chunk_size=1 << 20))  # type: ignore[arg-type]
            finally:
                container.remove(force=True)

    def environment(self, tag: str) -> tuple[str, ...]:
        """The variables that an image sets, as NAME=VALUE."""
        with engine_errors(self.name):
            config = self._client.images.get(tag).attrs.get("Config") or {}
            return tuple(config.get("Env") or ())

    def import_root(self, archive: Path, tag: str, environment: tuple[str, ...] = ()) -> None:
        """A tar of a root file system as the image `tag`, which sets variables given as NAME=VALUE.

        The values are without quotes, backslashes, dollar signs and line breaks.
        """
        repository, _, version = tag.rpartition(":")
        changes = [
            f'ENV {name}="{value}"' for name, _, value in (each.partition("=") for each in environment)
        ]
        with engine_errors(self.name), archive.open("rb") as stream:
            answer = self._client.api.import_image_from_data(
                stream, repository=repository, tag=version, changes=changes or None
            )
            if not self.has_image(tag):
                # Podman 4's service imports without the tag that it was given, as `latest`.
                self._client.api.tag(re.findall(r"sha256:[0-9a-f]{64}", str(answer))[-1], repository, version)
                with contextlib.suppress(docker.errors.ImageNotFound):
                    self._client.images.remove(f"{repository}:latest", noprune=True)

    def pull(self, reference: str, tag: str) -> bool:
        """The registry image `reference` (by digest) as `tag`; False where no registry gives it."""
        with engine_errors(self.name):
            try:
                image = self._client.images.pull(reference)
            except (docker.errors.APIError, docker.errors.ImageNotFound):
                return False
            repository, _, version = tag.rpartition(":")
            return bool(image.tag(repository, tag=version))

    def build(
        self,
        folder: Path,
        target: str,
        arguments: Mapping[str, str],
        tag: str,
        line: Callable[[str], None],
    ) -> None:
        """The stage `target` of the Dockerfile in `folder`, with its arguments (BASE is an image), as `tag`.

        Raises EngineError with the last lines of the build where it fails.
        """
        last: list[str] = []
        with engine_errors(self.name):
            # The host's network: package archives are reached as they are reached from here, and
            # what apt installs is checked by the archive's signature.
            output = self._client.api.build(
                path=str(folder),
                target=target,
                buildargs=dict(arguments),
                tag=tag,
                rm=True,
                forcerm=True,
                decode=True,
                network_mode="host",
                pull=False,
                labels={LABEL: "image"},
            )
            for part in output:
                text = str(part.get("stream") or part.get("error") or "").rstrip()
                for each in text.splitlines():
                    line(each)
                    last = [*last[-14:], each]
                if "error" in part:
                    break
        if not self.has_image(tag):
            raise EngineError(
                f"the image of {folder}/Dockerfile (stage {target}) could not be built: "
                "correct what its last lines say, then run again\n  " + "\n  ".join(last)
            )

    def run(self, run: Run, line: Callable[[str], None], keep: bool = False) -> int:
        """Run to the end, each line of output to `line`; the exit status.

        The container is removed on every path, unless `keep` and it failed.
        """
        with engine_errors(self.name):
            container = self._create(run)
            kept = False
            try:
                container.start()
                for text in _output(container):
                    line(text)
                status = _status(container)
                kept = keep and status != 0
                return status
            finally:
                if not kept:
                    with contextlib.suppress(docker.errors.APIError, *LOST):
                        container.remove(force=True)

    def busy(self) -> bool:
        """Whether a container of any build runs."""
        with engine_errors(self.name):
            return bool(self._client.containers.list(filters={"label": LABEL}))

    def kept(self, label: str) -> list[str]:
        """The ids of the containers that carry a label, running or not."""
        with engine_errors(self.name):
            found = self._client.containers.list(all=True, filters={"label": f"{LABEL}={label}"})
            return [str(container.short_id) for container in found]

    def remove(self, label: str) -> None:
        """Remove every container with a label: what a build that was killed has left behind."""
        with engine_errors(self.name):
            for container in self._client.containers.list(all=True, filters={"label": f"{LABEL}={label}"}):
                with contextlib.suppress(docker.errors.NotFound):
                    container.remove(force=True)

    def _create(self, run: Run) -> Container:
        api = self._client.api
        host = api.create_host_config(
            mounts=[
                DockerMount(mount.target, str(mount.source), type="bind", read_only=not mount.writable)
                for mount in run.mounts
            ],
            network_mode=run.limits.network,
            read_only=run.limits.root_file_system == "read-only",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=run.limits.processes,
            tmpfs={"/tmp": "rw,exec,mode=1777"},  # noqa: S108
            init=True,
            ulimits=_ulimits(run.limits),
        )
        if self._podman and self._rootless:
            # This user keeps his id inside; the SDK knows Docker's values of this setting only.
            host["UsernsMode"] = "keep-id"
        created = api.create_container(
            run.image,
            list(run.command),
            environment=dict(run.environment),
            labels={LABEL: run.label},
            working_dir=run.workdir,
            user=self._user(),
            host_config=host,
        )
        return self._client.containers.get(created["Id"])

    def _user(self) -> str:
        if self._rootless and not self._podman:
            # Rootless Docker maps the container's root to the ordinary user who runs the engine.
            return "0:0"
        uid = self.owner if self.owner is not None else os.getuid()
        gid = self.owner if self.owner is not None else os.getgid()
        return f"{uid}:{gid}"


@contextlib.contextmanager
def engine_errors(name: str) -> Iterator[None]:
    """The engine's failures as EngineError."""
    try:
        yield
    except LOST as error:
        raise EngineError(
            f"the container engine ({name}) stopped answering: start it again and run the same command, "
            "which goes on from the caches"
        ) from error
    except docker.errors.DockerException as error:
        if isinstance(error, docker.errors.NotFound) and not isinstance(error, docker.errors.ImageNotFound):
            raise EngineError(
                f"a container was removed while it was needed ({name} says: {first_line(error)}): run the same "
                "command again, which goes on from the caches"
            ) from error
        raise EngineError(
            f"the container engine ({name}) refused: {first_line(error)}; `./inv doctor` shows what it lacks"
        ) from error


def _ulimits(limits: Limits) -> list[Ulimit]:
    """Limits small enough to be given by every engine: Podman 4's service asks for more than it may have."""
    _, own = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = OPEN_FILES if own == resource.RLIM_INFINITY else min(own, OPEN_FILES)
    return [
        Ulimit(name="nofile", soft=files, hard=files),
        Ulimit(name="nproc", soft=limits.processes, hard=limits.processes),
    ]


def _output(container: Container) -> Iterator[str]:
    """The lines of a container's output, as they come.

    Podman does not answer before the first of them, however long that takes; a lost engine fails at once.
    """
    while True:
        try:
            return _lines(container.logs(stream=True, follow=True))
        except requests.exceptions.ReadTimeout:
            container.reload()


def _status(container: Container) -> int:
    """The exit status of a container whose output has ended.

    An engine whose state was lost (a second one on the same storage) would never tell it.
    """
    while True:
        try:
            return int(container.wait(timeout=PATIENCE)["StatusCode"])
        except (requests.exceptions.ConnectionError, requests.exceptions.ReadTimeout):
            container.reload()
            if container.status != "running":
                raise


def _lines(stream: Iterator[bytes]) -> Iterator[str]:
    """Chunks of output as whole lines."""
    rest = b""
    for chunk in stream:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")
    if rest:
        yield rest.decode("utf-8", "replace")


def first_line(error: Exception) -> str:
    text = str(getattr(error, "explanation", None) or error)
    return text.strip().splitlines()[0] if text.strip() else type(error).__name__
