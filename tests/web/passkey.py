"""A passkey without a device: it makes itself and signs as W3C Web Authentication asks, with the user verified."""

import hashlib
import json
import secrets

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import bytes_to_base64url

PRESENT_AND_VERIFIED, WITH_KEY = 0x05, 0x40


class SoftPasskey:
    def __init__(self, origin: str) -> None:
        self.origin, self.host = origin, origin.split("//")[1].split(":")[0]
        self.id, self.key, self.count = secrets.token_bytes(16), ec.generate_private_key(ec.SECP256R1()), 0

    def made_for(self, options: dict) -> str:  # type: ignore[type-arg]
        """What a browser answers when it is asked to make one."""
        public = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: public.x.to_bytes(32, "big"), -3: public.y.to_bytes(32, "big")}
        key = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(cose)
        made = {"fmt": "none", "attStmt": {}, "authData": self._shown(PRESENT_AND_VERIFIED | WITH_KEY) + key}
        said = self._said("webauthn.create", options)
        return self._answer({"clientDataJSON": said, "attestationObject": cbor2.dumps(made)})

    def signed_for(self, options: dict) -> str:  # type: ignore[type-arg]
        """What a browser answers when it is asked to sign in."""
        self.count += 1
        shown, said = self._shown(PRESENT_AND_VERIFIED), self._said("webauthn.get", options)
        signature = self.key.sign(shown + hashlib.sha256(said).digest(), ec.ECDSA(SHA256()))
        return self._answer({"clientDataJSON": said, "authenticatorData": shown, "signature": signature})

    def _shown(self, flags: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _said(self, kind: str, options: dict) -> bytes:  # type: ignore[type-arg]
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _answer(self, response: dict) -> str:  # type: ignore[type-arg]
        ours = bytes_to_base64url(self.id)
        told = {name: bytes_to_base64url(value) for name, value in response.items()}
        return json.dumps({"id": ours, "rawId": ours, "type": "public-key", "response": told})
