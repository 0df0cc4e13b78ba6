"""The container engine, through the Docker API, which Podman's service offers, too."""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import docker
import docker.errors
from docker.models.containers import Container
from docker.types import Mount as DockerMount

from kiln.core import SourceError
from kiln.engine import container, podman
from kiln.engine.conditions import USUAL, Conditions
from kiln.engine.failures import LOST, engine_errors, first_line
from kiln.engine.run import Mount, Run
from kiln.engine.usage import Group, Usage, group_of
from kiln.plan import Limits

LABEL = "org.kiln.build"
# What a build runs as that root started: above all ids that systems give to people, services and containers, so that it
# is nobody on this machine. Where root has not all ids, it is in a user namespace, and the machine has others for these.
NOBODY, SMALL = 2_000_000_000, 1000


class Engine:
    """A connection to a container engine.

    `patience` is how many seconds the engine may take to answer, `conditions` what its containers have beside what they
    are asked for. Every method raises EngineError where the engine refuses a request or stops answering.
    """

    def __init__(
        self, client: docker.DockerClient, url: str, patience: int, conditions: Conditions = USUAL
    ) -> None:
        self._client = client
        self._patience = patience
        self._conditions = conditions
        with engine_errors(url):
            info = client.info()
            # Podman 4 has a field for it; Docker lists it among its security options.
            options = info.get("SecurityOptions") or []
            self._rootless = bool(info.get("Rootless")) or any("rootless" in option for option in options)
            self.version = str(client.version().get("Version", ""))
            components = client.version().get("Components") or []
        # Podman's name for what runs containers is that of its default; Docker lists all that it has, too.
        self.runtime = str(info.get("DefaultRuntime") or "")
        self._podman = any("podman" in str(part.get("Name", "")).lower() for part in components)
        self.name = "Podman" if self._podman else "Docker"

    def close(self) -> None:
        with contextlib.suppress(*LOST):
            self._client.close()

    @property
    def owner(self) -> int | None:
        """The user id that must own a build's writable folders; None where this user's own id is right."""
        if os.getuid() or self._rootless:
            return None
        return _nobody() if self._conditions.user is None else self._conditions.user

    def has_image(self, tag: str) -> bool:
        with engine_errors(self.name):
            try:
                self._client.images.get(tag)
            except docker.errors.ImageNotFound:
                return False
        return True

    def images(self, beginning: str) -> dict[str, int]:
        """The images whose tag starts with `beginning`, each with its size in bytes (shared layers included)."""
        with engine_errors(self.name):
            return {
                tag: int(image.attrs.get("Size") or 0)
                for image in self._client.images.list()
                for tag in image.tags
                if tag.startswith(beginning)
            }

    def remove_image(self, tag: str) -> bool:
        """Remove an image's tag, and with its last tag the image itself; False if a container uses it."""
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

    def export_root(self, tag: str, archive: Path) -> None:
        """Write the root file system of an image to `archive`, as a tar that differs from engine to engine."""
        with engine_errors(self.name), archive.open("wb") as file:
            created = self._client.containers.create(
                tag, ["true"], labels={LABEL: "export"}, use_config_proxy=False
            )
            try:
                file.writelines(created.export(chunk_size=1 << 20))  # type: ignore[arg-type]
            finally:
                created.remove(force=True)

    def pull(self, image: str) -> None:
        """Get an image by its digest from its registry; SourceError where that does not give it."""
        repository, _, digest = image.partition("@")
        with engine_errors(self.name):
            try:
                self._client.images.pull(repository, tag=digest)
            except (docker.errors.APIError, docker.errors.ImageNotFound) as error:
                raise SourceError(
                    f"the image {image} cannot be pulled ({first_line(error)})",
                    "log in to its registry with the container engine's own command, or give a bundle made elsewhere",
                ) from error

    def environment(self, tag: str) -> tuple[str, ...]:
        """The variables that an image sets, as NAME=VALUE."""
        with engine_errors(self.name):
            config = self._client.images.get(tag).attrs.get("Config") or {}
            return tuple(config.get("Env") or ())

    def import_root(self, archive: Path, tag: str, environment: tuple[str, ...] = ()) -> None:
        """Make the image `tag` from the tar of a root file system; `environment` are its variables as NAME=VALUE.

        The values must not contain quotes, backslashes, dollar signs or line breaks.
        """
        repository, _, version = tag.rpartition(":")
        changes = [
            f'ENV {name}="{value}"' for name, _, value in (each.partition("=") for each in environment)
        ]
        # Podman 4's service ignores the tag and names the image `latest`: two imports at once must not share that name.
        own = f"{repository}-{uuid.uuid4().hex}"
        with engine_errors(self.name), archive.open("rb") as stream:
            answer = self._client.api.import_image_from_data(
                stream, repository=own, tag="latest", changes=changes or None
            )
            self._client.api.tag(re.findall(r"sha256:[0-9a-f]{64}", str(answer))[-1], repository, version)
            with contextlib.suppress(docker.errors.NotFound):
                self._client.images.remove(f"{own}:latest", noprune=True)

    def install(
        self,
        root: Path,
        command: Sequence[str],
        label: str,
        mount: Mount,
        target: Path,
        line: Callable[[str], None],
    ) -> int:
        """Run a command as root, without a network, in the root file system of a tar, and return its exit status.

        If that is 0, `target` becomes a tar of what the command has left, as the engine makes it. Nothing stays in the
        engine, and what a killed run with the same label has left is removed.
        """
        tag = f"localhost/kiln/{label}:unfinished"
        self.remove(label)
        self.import_root(root, tag)
        with engine_errors(self.name):
            try:
                api = self._client.api
                host = api.create_host_config(
                    mounts=[DockerMount(mount.target, str(mount.source), type="bind", read_only=True)],
                    network_mode="none",
                    ulimits=container.ulimits(Limits()),
                )
                # As root, which is an image's own user: for one that is named, Podman mounts an /etc/passwd.
                made = api.create_container(
                    tag, list(command), labels={LABEL: label}, host_config=host, use_config_proxy=False
                )
                created = self._client.containers.get(made["Id"])
                created.start()
                for text in container.output(created):
                    line(text)
                status = container.status(created, self._patience)
                if status == 0:
                    with target.open("wb") as file:
                        file.writelines(created.export(chunk_size=1 << 20))  # type: ignore[arg-type]
                return status
            finally:
                with contextlib.suppress(docker.errors.APIError, *LOST):
                    self.remove(label)
                    self.remove_image(tag)

    def run(
        self, run: Run, line: Callable[[str], None], keep: bool = False, usage: Usage | None = None
    ) -> int:
        """Run a command to its end and return its exit status; each line of its output goes to `line`.

        The container is always removed, except if `keep` is set and the command failed. What it uses is kept in `usage`.
        """
        with engine_errors(self.name):
            created = self._create(run)
            kept = False
            try:
                created.start()
                with usage.of(_group(created)) if usage else contextlib.nullcontext():
                    for text in container.output(created):
                        line(text)
                    status = container.status(created, self._patience)
                kept = keep and status != 0
                return status
            finally:
                if not kept:
                    with contextlib.suppress(docker.errors.APIError, *LOST):
                        created.remove(force=True)

    def busy(self) -> bool:
        """Whether a container of any build is running."""
        with engine_errors(self.name):
            return bool(self._client.containers.list(filters={"label": LABEL}))

    def kept(self, label: str) -> list[str]:
        """The ids of the containers with a label, running or not."""
        with engine_errors(self.name):
            return [str(found.short_id) for found in self._labelled(label)]

    def shell(self, run: Run, setup: str) -> list[str]:
        """The command that opens a shell in what the kept container of `run` has left.

        `setup` is a file in the container that the shell reads first.
        """
        own = ["podman", *podman.runtime()] if self._podman else ["docker"]
        user = ["--userns", "keep-id"] if self._podman and self._rootless else ["--user", self._user()]
        limits = [f"--ulimit={each.name}={each.soft}:{each.hard}" for each in container.ulimits(run.limits)]
        return [
            *own, "run", "--rm", "-it", "--network", run.limits.network, *user, *limits,
            "--cap-drop=ALL", "--security-opt=no-new-privileges", f"--security-opt=seccomp={container.PROFILE}",
            "--volumes-from", self.kept(run.label)[0], "--workdir", run.workdir,
            run.image, "bash", "--rcfile", setup,
        ]  # fmt: skip

    def remove(self, label: str) -> None:
        """Remove every container with a label: a build that was killed leaves its container behind."""
        with engine_errors(self.name):
            for found in self._labelled(label):
                with contextlib.suppress(docker.errors.NotFound):
                    found.remove(force=True)

    def _labelled(self, label: str) -> list[Container]:
        return self._client.containers.list(all=True, filters={"label": f"{LABEL}={label}"})

    def _create(self, run: Run) -> Container:
        api, conditions = self._client.api, self._conditions
        # Podman reads the profile from a file of its machine, which is this one; Docker takes its content.
        profile = str(container.PROFILE) if self._podman else container.PROFILE.read_text(encoding="utf-8")
        host = container.host_config(api, run, profile, conditions.mounts)
        if self._podman and self._rootless:
            # The user's own id inside the container, too. The SDK accepts only Docker's values of this setting.
            host["UsernsMode"] = "keep-id"
        created = api.create_container(
            run.image,
            [*conditions.prefix, *run.command],
            hostname=conditions.hostname or None,
            environment={**conditions.environment, **run.environment},
            labels={LABEL: run.label},
            working_dir=run.workdir,
            user=self._user(),
            host_config=host,
            # The user's proxies, often with logins, are not for a container that has no network.
            use_config_proxy=False,
        )
        return self._client.containers.get(created["Id"])

    def _user(self) -> str:
        if self._rootless and not self._podman:
            # Rootless Docker maps the container's root to the user who runs the engine.
            return "0:0"
        uid = self.owner if self.owner is not None else os.getuid()
        gid = self.owner if self.owner is not None else os.getgid()
        return f"{uid}:{gid}"


def _nobody() -> int:
    rows = (map(int, line.split()) for line in Path("/proc/self/uid_map").read_text().splitlines())
    return NOBODY if any(first <= NOBODY < first + count for first, _, count in rows) else SMALL


def _group(created: Container) -> Group | None:
    """The control group of a container that was started."""
    created.reload()
    process = int((created.attrs.get("State") or {}).get("Pid") or 0)
    return group_of(process, str(created.id)) if process else None
