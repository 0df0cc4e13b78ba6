"""Keys: ed25519 in a file, or in an ssh agent. A private key and its passphrase stay in this module's values."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kiln.core import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PASSPHRASE = "KILN_KEY_PASSPHRASE"  # noqa: S105  (names of variables)
PASSPHRASE_FILE = "KILN_KEY_PASSPHRASE_FILE"  # noqa: S105
AGENT = "agent"
_SSH = b"ssh-ed25519"
# Messages of the ssh agent's protocol.
_LIST, _LISTED, _SIGN, _SIGNED = 11, 12, 13, 14
_MOST = 1 << 20  # bytes of an agent's answer


@dataclass(frozen=True)
class PublicKey:
    """`raw` are the 32 bytes of an ed25519 key, `name` is how a person knows it."""

    raw: bytes
    name: str = ""

    @property
    def id(self) -> str:
        """The key's fingerprint as ssh shows it, by which an envelope names it."""
        digest = hashlib.sha256(_string(_SSH) + _string(self.raw)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def accepts(self, signature: bytes, data: bytes) -> bool:
        """Whether a signature over `data` was made by this key."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def to_ssh(self) -> str:
        """The line of a .pub file."""
        blob = base64.b64encode(_string(_SSH) + _string(self.raw)).decode()
        return f"{_SSH.decode()} {blob} {self.name}".rstrip() + "\n"


@dataclass(frozen=True)
class Signer:
    """A key that can sign; what it signs with is not shown."""

    public: PublicKey
    _sign: Callable[[bytes], bytes]

    def sign(self, data: bytes) -> bytes:
        """A signature of 64 bytes."""
        return self._sign(data)

    def __repr__(self) -> str:
        return f"Signer({self.public.id})"


def signer(text: str, environment: MutableMapping[str, str], ask: Callable[[str], str] | None) -> Signer:
    """The key that a person names: a file, `agent`, or `agent:NAME` for one of several keys.

    A passphrase is taken out of the environment, so that no program that is started later has it, or read from the file
    that the environment names, or asked for. UsageError where there is no such key, or it cannot be opened.
    """
    given = given_passphrase(environment)
    if text == AGENT or text.startswith(f"{AGENT}:"):
        return _of_agent(text.partition(":")[2], environment)
    from cryptography.exceptions import UnsupportedAlgorithm

    content = _read(Path(text))
    try:
        key = _private(content, None)
        if key is None:
            key = _private(content, _passphrase(text, given, ask))
    except UnsupportedAlgorithm as error:
        raise UsageError(
            "this is a key of ssh with a passphrase, which only the ssh agent opens",
            "add it with ssh-add, and give agent in place of the file",
            where=text,
        ) from error
    except ValueError as error:
        raise UsageError(
            "this key cannot be opened", f"check the passphrase, or {_CURE}", where=text
        ) from error
    if key is None:
        raise UsageError("this key cannot be opened: it has another passphrase", "try again", where=text)
    return Signer(PublicKey(_raw(key), Path(text).name), key.sign)


def make_key(path: Path, passphrase: str) -> PublicKey:
    """A new key in the file `path`, encrypted unless the passphrase is empty, and its public half beside it as .pub.

    UsageError where one of the files exists.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    half = path.with_name(f"{path.name}.pub")
    for each in (path, half):
        if each.exists():
            raise UsageError(f"{each} exists, and a key is never overwritten", "give another name")
    key = Ed25519PrivateKey.generate()
    encryption = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(*form))
    public = PublicKey(_raw(key), path.name)
    half.write_text(public.to_ssh(), encoding="utf-8")
    return public


def public_key(path: Path) -> PublicKey:
    """The public key in a file, as ssh or as PEM; UsageError where there is none."""
    content = _read(path)
    try:
        if content.lstrip().startswith(_SSH):
            return _from_blob(base64.b64decode(content.split()[1]), path.name)
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        key = serialization.load_pem_public_key(content)
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("another kind of key")
    except (ValueError, IndexError, struct.error, binascii.Error) as error:
        raise UsageError("this is not the public half of an ed25519 key", _CURE, where=str(path)) from error
    return PublicKey(key.public_bytes_raw(), path.name)


_CURE = "make a key with `./inv sign --new-key FILE`, and give FILE to sign and FILE.pub to check"


def _private(content: bytes, passphrase: bytes | None) -> Ed25519PrivateKey | None:
    """The key in a file; None where it is encrypted and no passphrase, or a wrong one, is given."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    ssh = b"BEGIN OPENSSH PRIVATE KEY" in content
    load = serialization.load_ssh_private_key if ssh else serialization.load_pem_private_key
    try:
        key = load(content, passphrase)
    except TypeError:
        return None
    except ValueError as error:
        if passphrase is None and "encrypted" in str(error):
            return None
        raise
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("another kind of key")
    return key


def _raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _passphrase(text: str, given: str, ask: Callable[[str], str] | None) -> bytes:
    if not given and ask:
        given = ask(f"passphrase of {text}: ")
    if not given:
        raise UsageError(
            "this key has a passphrase, and there is no terminal to ask for it",
            f"set {PASSPHRASE_FILE} to a file with it",
            where=text,
        )
    return given.encode()


def given_passphrase(environment: MutableMapping[str, str]) -> str:
    """The passphrase that the environment has, which it then has no more, or that is in the file it names."""
    given, file = environment.pop(PASSPHRASE, ""), environment.get(PASSPHRASE_FILE, "")
    return given or (_read(Path(file)).decode("utf-8", "replace").rstrip("\r\n") if file else "")


def terminal_prompt() -> Callable[[str], str] | None:
    """Asks a person without showing what is typed; None where no person is there."""
    if not sys.stdin.isatty():
        return None
    import getpass

    return getpass.getpass


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"this file cannot be read ({error.strerror})", "name a file that can", where=str(path)
        ) from error


# The ssh agent


def _of_agent(name: str, environment: Mapping[str, str]) -> Signer:
    place = environment.get("SSH_AUTH_SOCK", "")
    found = [key for key in _agent_keys(place) if name in ("", key.name, key.id)]
    if len(found) != 1:
        named = f" named {name}" if name else ""
        raise UsageError(
            f"the ssh agent has {len(found)} ed25519 keys{named} instead of one",
            "add it with ssh-add, or give agent:NAME with the name or fingerprint that `ssh-add -l` shows",
        )
    (key,) = found

    def sign(data: bytes) -> bytes:
        blob = _string(_SSH) + _string(key.raw)
        answer = _asked(place, bytes([_SIGN]) + _string(blob) + _string(data) + struct.pack(">I", 0))
        if answer[:1] != bytes([_SIGNED]):
            raise UsageError(
                "the ssh agent does not sign with this key", "unlock it, or confirm its question"
            )
        _, signature = _strings(_strings(answer[1:], 1)[0], 2)
        return signature

    return Signer(key, sign)


def _agent_keys(place: str) -> Iterable[PublicKey]:
    answer = _asked(place, bytes([_LIST]))
    if answer[:1] != bytes([_LISTED]):
        return
    count = struct.unpack(">I", answer[1:5])[0]
    parts = _strings(answer[5:], 2 * count)
    for blob, comment in zip(parts[::2], parts[1::2]):
        if blob.startswith(_string(_SSH)):
            yield _from_blob(blob, comment.decode("utf-8", "replace"))


def _asked(place: str, message: bytes) -> bytes:
    if not place:
        raise UsageError("no ssh agent runs here (SSH_AUTH_SOCK is not set)", "start one, or give a key file")
    try:
        with socket.socket(socket.AF_UNIX) as agent:
            agent.connect(place)
            agent.sendall(_string(message))
            with agent.makefile("rb") as stream:
                length = struct.unpack(">I", stream.read(4))[0]
                return stream.read(min(length, _MOST))
    except (OSError, struct.error) as error:
        raise UsageError(
            f"the ssh agent at {place} does not answer", "start it, or give a key file"
        ) from error


def _from_blob(blob: bytes, name: str) -> PublicKey:
    kind, raw = _strings(blob, 2)
    if kind != _SSH or len(raw) != 32:
        raise ValueError("another kind of key")
    return PublicKey(raw, name)


def _string(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _strings(content: bytes, count: int) -> list[bytes]:
    """The first strings of a message; ValueError where there are not so many."""
    found = []
    for _ in range(count):
        length = struct.unpack(">I", content[:4])[0]
        if len(content) < 4 + length:
            raise ValueError("a message that is cut off")
        found.append(content[4 : 4 + length])
        content = content[4 + length :]
    return found
