"""Local tokens: their claims, their signature and their key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jwt
from jwt import PyJWK

from local.gateway.tokens import AUDIENCE, ISSUER, TokenIssuer

if TYPE_CHECKING:
    from pathlib import Path


def test_token_verifies_against_the_published_key(tmp_path: Path) -> None:
    issuer = TokenIssuer.of(tmp_path)
    token = issuer.issue_token("user-123", ttl_seconds=60)
    (published,) = issuer.jwks()["keys"]

    claims = jwt.decode(token, PyJWK(published), audience=AUDIENCE, issuer=ISSUER)

    assert jwt.get_unverified_header(token)["kid"] == published["kid"]
    assert claims["sub"] == "user-123"
    assert claims["exp"] - claims["iat"] == 60
    assert claims["scope"] == "openid"


def test_token_of_an_administrator_has_their_group(tmp_path: Path) -> None:
    token = TokenIssuer.of(tmp_path).issue_token("operator", admin=True)

    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["cognito:groups"] == ["cloudphone:admin"]


def test_key_is_kept_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    assert TokenIssuer.of(tmp_path).jwks() == TokenIssuer.of(tmp_path).jwks()

    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_published_key_has_no_private_parts(tmp_path: Path) -> None:
    (published,) = TokenIssuer.of(tmp_path).jwks()["keys"]

    assert set(published) == {"kty", "n", "e", "alg", "use", "kid"}
    assert json.dumps(published)
