"""Access tokens for the local platform: a key pair in the state folder, its JWKS, and issuing."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import RSAAlgorithm

from local.paths import write_private

if TYPE_CHECKING:
    from pathlib import Path

ISSUER: Final = "https://identity.cloudphone.invalid"
AUDIENCE: Final = "cloudphone"
ADMIN_GROUP: Final = "cloudphone:admin"
DAY_SECONDS: Final = 86_400

_ALGORITHM: Final = "RS256"
_KEY_FILE: Final = "token-key.pem"
_KEY_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Replaces the identity provider of the deployed stack."""

    key: rsa.RSAPrivateKey

    @classmethod
    def of(cls, state_dir: Path) -> Self:
        """Return the issuer of a state folder; the first call creates its key."""
        path = state_dir / _KEY_FILE
        if not path.exists():
            state_dir.mkdir(parents=True, exist_ok=True)
            write_private(path, _new_key())
        key = load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{path} is not an RSA key; delete it to have a new one created")
        return cls(key)

    def issue_token(
        self, user_id: str, *, admin: bool = False, ttl_seconds: int = DAY_SECONDS
    ) -> str:
        """Return a signed token for a user; an administrator's has Cognito's group of them."""
        now = int(time.time())
        claims = {
            "sub": user_id,
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + ttl_seconds,
            "scope": "openid",
            "cognito:groups": [ADMIN_GROUP] if admin else [],
        }
        headers = {"kid": self._public_jwk()["kid"]}
        return jwt.encode(claims, self.key, algorithm=_ALGORITHM, headers=headers)

    def jwks(self) -> dict[str, Any]:
        """Return the JSON Web Key Set for verifying the tokens (RFC 7517)."""
        return {"keys": [self._public_jwk()]}

    def _public_jwk(self) -> dict[str, Any]:
        jwk: dict[str, Any] = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        public = {"e": jwk["e"], "kty": jwk["kty"], "n": jwk["n"]}
        return {**public, "alg": _ALGORITHM, "use": "sig", "kid": _thumbprint(public)}


def _new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=_KEY_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def _thumbprint(public: dict[str, str]) -> str:
    """Return the JWK thumbprint of a key (RFC 7638)."""
    canonical = json.dumps(public, separators=(",", ":"), sort_keys=True).encode("ascii")
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
