"""DSSE: a payload in an envelope with signatures over its type and its bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kiln.attest.keys import PublicKey, Signer
from kiln.core import parse_json

IN_TOTO = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Envelope:
    """`signatures` are pairs of a key's id and what it signed."""

    payload: bytes
    type: str
    signatures: tuple[tuple[str, bytes], ...]

    @property
    def signed(self) -> bytes:
        """What the signatures are over."""
        kind = self.type.encode()
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload)

    @property
    def payload_sha256(self) -> str:
        return hashlib.sha256(self.payload).hexdigest()

    def accepted_by(self, keys: Iterable[PublicKey]) -> PublicKey | None:
        """The first of some keys that made one of the signatures; a key's id alone proves nothing."""
        return next(
            (key for key in keys for _, signature in self.signatures if key.accepts(signature, self.signed)),
            None,
        )

    def to_json(self) -> str:
        """The envelope as one line."""
        value = {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.type,
            "signatures": [
                {"keyid": key, "sig": base64.b64encode(signature).decode()}
                for key, signature in self.signatures
            ],
        }
        return json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n"


def sealed(payload: bytes, signer: Signer, kind: str = IN_TOTO) -> Envelope:
    """A payload in an envelope with one signature."""
    empty = Envelope(payload, kind, ())
    return Envelope(payload, kind, ((signer.public.id, signer.sign(empty.signed)),))


def parse(text: str) -> Envelope:
    """An envelope from JSON; ValueError for what is not one."""
    try:
        value: Any = parse_json(text)
        return Envelope(
            payload=base64.b64decode(value["payload"], validate=True),
            type=str(value["payloadType"]),
            signatures=tuple(
                (str(each.get("keyid", "")), base64.b64decode(each["sig"], validate=True))
                for each in value["signatures"]
            ),
        )
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise ValueError(f"not a DSSE envelope ({error})") from error
