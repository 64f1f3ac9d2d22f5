"""The tokens that the gateway accepts, and the format of their claims."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from local.gateway.authorizer import JwtAuthorizer, UnauthorizedError, claim_text
from local.gateway.tokens import TokenIssuer

ISSUER = "https://issuer.example"
AUDIENCES = frozenset(("phones", "tablets"))
TRUSTED = TokenIssuer(rsa.generate_private_key(65_537, 2048))
STRANGER = TokenIssuer(rsa.generate_private_key(65_537, 2048))
AUTHORIZER = JwtAuthorizer(TRUSTED.jwks(), ISSUER, AUDIENCES)

HOUR = 3600


def _kid(of: TokenIssuer) -> str:
    kid: str = of.jwks()["keys"][0]["kid"]
    return kid


def _token(signed_by: TokenIssuer = TRUSTED, kid: str | None = None, **claims: object) -> str:
    now = int(time.time())
    full = {"sub": "u", "iss": ISSUER, "aud": "phones", "iat": now, "exp": now + HOUR, **claims}
    present = {name: value for name, value in full.items() if value is not ...}
    return jwt.encode(present, signed_by.key, "RS256", {"kid": kid or _kid(signed_by)})


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": ["other", "tablets"]},
        {"aud": ..., "client_id": "phones"},
        {"iat": ...},
        {"nbf": int(time.time()) - 1},
    ],
)
def test_valid_token_is_accepted(claims: dict[str, Any]) -> None:
    assert AUTHORIZER.claims(f"Bearer {_token(**claims)}")["sub"] == "u"


def test_bearer_prefix_is_optional() -> None:
    assert AUTHORIZER.claims(_token())["sub"] == "u"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Bearer a.b.c",
        "Basic dXNlcjpwYXNzd29yZA==",
        "Bearer ü.ü.ü",
        pytest.param(_token()[:-4] + "AAAA", id="broken signature"),
        pytest.param(_token(signed_by=STRANGER), id="another key"),
        pytest.param(_token(STRANGER, kid=_kid(TRUSTED)), id="another key under a known id"),
        pytest.param(_token(exp=int(time.time()) - 1), id="expired"),
        pytest.param(_token(exp=...), id="without expiry"),
        pytest.param(_token(exp="soon"), id="expiry is no number"),
        pytest.param(_token(nbf=int(time.time()) + HOUR), id="not yet valid"),
        pytest.param(_token(iat=int(time.time()) + HOUR), id="issued in the future"),
        pytest.param(_token(iss="https://evil.example"), id="another issuer"),
        pytest.param(_token(iss=f"{ISSUER}/"), id="almost the issuer"),
        pytest.param(_token(iss=...), id="without issuer"),
        pytest.param(_token(aud="consoles"), id="another audience"),
        pytest.param(_token(aud=[]), id="no audience"),
        pytest.param(_token(aud={"any": "phones"}), id="audience is an object"),
        pytest.param(_token(aud=[{}]), id="audience is a list of objects"),
        pytest.param(_token(aud=..., client_id="consoles"), id="another client"),
        pytest.param(_token(aud="consoles", client_id="phones"), id="audience outweighs client"),
        pytest.param(_token(aud=...), id="neither audience nor client"),
    ],
)
def test_invalid_token_is_refused(header: str | None) -> None:
    with pytest.raises(UnauthorizedError):
        AUTHORIZER.claims(header)


def test_token_signed_with_the_public_key_as_secret_is_refused() -> None:
    modulus = TRUSTED.jwks()["keys"][0]["n"]
    forged = jwt.encode({"sub": "u", "iss": ISSUER}, modulus, "HS256", {"kid": _kid(TRUSTED)})

    with pytest.raises(UnauthorizedError):
        AUTHORIZER.claims(forged)


def test_unsigned_token_is_refused() -> None:
    unsigned = jwt.encode({"sub": "u", "iss": ISSUER}, "", "none", {"kid": _kid(TRUSTED)})

    with pytest.raises(UnauthorizedError):
        AUTHORIZER.claims(unsigned)


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        ("openid admin", "openid admin"),
        (1_787_996_002, "1787996002"),
        (True, "true"),
        (["admin"], "[admin]"),
        (["admin", "power user", 7], "[admin power user 7]"),
        ([], "[]"),
        ({"street": "长安街"}, '{"street":"长安街"}'),
    ],
)
def test_claims_become_strings_like_in_api_gateway(value: object, rendered: str) -> None:
    assert claim_text(value) == rendered


def test_null_claims_are_left_out() -> None:
    claims = AUTHORIZER.claims(_token(nickname=None, groups=["admin"]))

    assert "nickname" not in claims
    assert claims["groups"] == "[admin]"
