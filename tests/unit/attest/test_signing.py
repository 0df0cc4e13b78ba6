from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiln import attest
from kiln.attest import dsse
from kiln.build import Record, record
from kiln.core import UsageError
from tests.support import wheels
from tests.support.repository import ROOT

CANARY = "a-passphrase-canary"


def key(folder: Path, name: str = "key", passphrase: str = "") -> Path:
    attest.make_key(folder / name, passphrase)
    return folder / name


def signer(path: Path, **environment: str) -> attest.Signer:
    return attest.signer(str(path), environment, None)


def recorded(folder: Path) -> Record:
    found = record.read(folder)
    assert isinstance(found, Record)
    return found


@pytest.fixture
def result(tmp_path: Path) -> Record:
    return recorded(wheels.result(tmp_path / "made"))


def test_a_signature_is_accepted_by_its_key_alone_and_over_these_bytes_alone(tmp_path: Path) -> None:
    own, other = signer(key(tmp_path)), signer(key(tmp_path, "other"))
    envelope = dsse.parse(dsse.sealed(b"payload", own).to_json())
    assert envelope.payload == b"payload"
    assert envelope.accepted_by([other.public, own.public]) == own.public
    assert envelope.accepted_by([other.public]) is None
    changed = dsse.Envelope(b"payloaD", envelope.type, envelope.signatures)
    assert changed.accepted_by([own.public]) is None
    assert dsse.Envelope(b"payload", "text/plain", envelope.signatures).accepted_by([own.public]) is None


def test_what_is_signed_is_what_the_standard_says(tmp_path: Path) -> None:
    """The example of DSSE's own protocol page."""
    assert dsse.Envelope(b"hello world", "http://example.com/HelloWorld", ()).signed == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"payload": "x", "payloadType": "", "signatures": []}'])
def test_what_is_not_an_envelope_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        dsse.parse(text)


def test_a_key_with_a_passphrase_is_opened_by_variable_file_or_prompt(tmp_path: Path) -> None:
    path = key(tmp_path, passphrase=CANARY)
    assert path.stat().st_mode & 0o077 == 0 and b"ENCRYPTED" in path.read_bytes()
    public = attest.public_key(tmp_path / "key.pub")
    (tmp_path / "words").write_text(CANARY + "\n")
    environment = {"KILN_KEY_PASSPHRASE": CANARY}
    assert attest.signer(str(path), environment, None).public == attest.PublicKey(public.raw, "key")
    assert environment == {}  # no program that is started later has it
    assert signer(path, KILN_KEY_PASSPHRASE_FILE=str(tmp_path / "words")).public.raw == public.raw
    found = attest.signer(str(path), {}, lambda question: CANARY)
    assert found.public.id == public.id and CANARY not in repr(found)
    for environment in ({}, {"KILN_KEY_PASSPHRASE": CANARY[:-1]}):
        with pytest.raises(UsageError) as raised:
            attest.signer(str(path), dict(environment), None)
        assert CANARY[:-1] not in str(raised.value)


def test_a_key_that_ssh_keygen_made_is_a_key_too(tmp_path: Path) -> None:
    path = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    public = attest.public_key(tmp_path / "id.pub")
    assert dsse.sealed(b"x", signer(path)).accepted_by([public])
    said = subprocess.run(["ssh-keygen", "-l", "-f", path], check=True, capture_output=True, text=True)
    assert public.id in said.stdout


def test_a_key_of_ssh_with_a_passphrase_is_for_the_agent(tmp_path: Path) -> None:
    path = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", CANARY, "-f", path], check=True)
    with pytest.raises(UsageError, match="ssh-add"):
        signer(path, KILN_KEY_PASSPHRASE=CANARY)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", tmp_path / "id"], check=True)
    with pytest.raises(UsageError, match="cannot be opened"):
        signer(tmp_path / "id")
    with pytest.raises(UsageError, match="ed25519"):
        attest.public_key(tmp_path / "id.pub")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    place = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", place], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline()  # it listens
        yield str(place)
        process.terminate()


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="there is no ssh-agent here")
def test_a_key_of_the_ssh_agent_signs_without_leaving_it(tmp_path: Path, agent: str) -> None:
    environment = {**os.environ, "SSH_AUTH_SOCK": agent}
    for name in ("one", "two"):
        path = tmp_path / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True)
        subprocess.run(["ssh-add", "-q", path], env=environment, check=True)
    found = attest.signer("agent:two", environment, None)
    assert dsse.sealed(b"x", found).accepted_by([attest.public_key(tmp_path / "two.pub")])
    with pytest.raises(UsageError, match="2 ed25519 keys instead of one"):
        attest.signer("agent", environment, None)
    with pytest.raises(UsageError, match="SSH_AUTH_SOCK"):
        attest.signer("agent", {}, None)


def test_a_record_is_signed_whole_and_again_by_another_key(tmp_path: Path, result: Record) -> None:
    own, other = signer(key(tmp_path)), signer(key(tmp_path, "other"))
    signed = attest.sign(result, own)
    provenance, whole = attest.signatures(signed.folder)
    assert provenance.envelope.payload == (signed.folder / record.PROVENANCE).read_bytes()
    assert set(whole.subjects) == {path.name for path in signed.folder.iterdir()} - {
        "SHA256SUMS", "signatures.dsse.jsonl",
    }  # fmt: skip
    assert attest.sign(signed, own).folder == signed.folder
    assert len(attest.signatures(signed.folder)) == 2
    twice = attest.sign(recorded(signed.folder), other)
    assert len(attest.signatures(twice.folder)) == 4
    assert recorded(twice.folder).plan == result.plan


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "tasks.py", *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_the_command_signs_and_no_passphrase_is_ever_printed_or_written(
    tmp_path: Path, result: Record
) -> None:
    home = {"KILN_HOME": str(tmp_path / "home"), "KILN_KEY_PASSPHRASE": CANARY}
    made = run("sign", "--new-key", tmp_path / "key", **home)
    assert made.returncode == 0, made.stderr
    done = run("sign", result.wheel, "--key", tmp_path / "key", **home)
    assert done.returncode == 0, done.stderr
    public = attest.public_key(tmp_path / "key.pub")
    assert public.id in done.stderr
    assert all(each.envelope.accepted_by([public]) for each in attest.signatures(result.folder))
    wrong = run("sign", result.wheel, "--key", tmp_path / "key", **{**home, "KILN_KEY_PASSPHRASE": "x"})
    assert wrong.returncode == 2 and "Traceback" not in wrong.stderr
    for said in (made, done, wrong):
        assert CANARY not in said.stdout + said.stderr
    private = (tmp_path / "key").read_text().splitlines()[1]
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "key":
            content = path.read_bytes()
            assert CANARY.encode() not in content and private.encode() not in content


def test_what_is_not_a_result_is_not_signed(tmp_path: Path, result: Record) -> None:
    home = {"KILN_HOME": str(tmp_path / "home")}
    path = key(tmp_path)
    assert run("sign", tmp_path / "nowhere", "--key", path, **home).returncode == 2
    assert run("sign", result.folder, **home).returncode == 2
    result.wheel.write_bytes(b"altered")
    assert run("sign", result.folder, "--key", path, **home).returncode == 3


def test_a_build_that_is_signed_again_needs_no_second_signature_until_a_file_joins_it(
    tmp_path: Path, result: Record
) -> None:
    from kiln.commands import sign

    own = signer(key(tmp_path))
    assert not sign.is_signed_by(result, own)
    signed = attest.sign(result, own)
    assert sign.is_signed_by(signed, own)
    joined = record.add(signed, record.REPRODUCED, json.dumps({}))
    assert not sign.is_signed_by(joined, own)
