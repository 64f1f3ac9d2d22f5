"""Verifies tokens and passes their claims on, as the JWT authorizer of an HTTP API does.

The checks: docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html.
The format of claims is not documented but was measured (github.com/floci-io/floci/pull/2011):
every value is a string, an array becomes ``[a b]``, an object its JSON, and null is left out.
"""

from __future__ import annotations

import json
from typing import Any, Final

import jwt
from jwt import PyJWKSet
from jwt.exceptions import PyJWTError

_ALGORITHMS: Final = ["RS256"]
_BEARER: Final = "bearer "


class UnauthorizedError(Exception):
    """The request has no valid token; the text gives the reason."""


class JwtAuthorizer:
    """Accepts the tokens of one issuer for certain audiences."""

    def __init__(self, jwks: dict[str, Any], issuer: str, audiences: frozenset[str]) -> None:
        self._keys = PyJWKSet.from_dict(jwks)
        self._issuer = issuer
        self._audiences = audiences

    def claims(self, authorization: str | None) -> dict[str, str]:
        """Return the claims of a request's Authorization header as the function receives them.

        Raises:
            UnauthorizedError: the token is missing, malformed, expired or not yet valid, or has
                another key, issuer or audience.
        """
        if not authorization:
            raise UnauthorizedError("no token")
        # "Bearer" is optional.
        is_bearer = authorization[: len(_BEARER)].lower() == _BEARER
        token = authorization[len(_BEARER) :] if is_bearer else authorization
        try:
            claims = self._verify(token.strip())
        except (PyJWTError, KeyError) as error:
            raise UnauthorizedError(str(error).strip("'")) from None
        return {name: claim_text(value) for name, value in claims.items() if value is not None}

    def _verify(self, token: str) -> dict[str, Any]:
        key = self._keys[jwt.get_unverified_header(token).get("kid", "")]
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=_ALGORITHMS,
            issuer=self._issuer,
            options={"require": ["exp"], "verify_aud": False},
        )
        # `client_id` counts only if there is no `aud`, as in Cognito's access tokens.
        given = claims["aud"] if claims.get("aud") is not None else claims.get("client_id")
        named = [
            one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)
        ]
        if self._audiences.isdisjoint(named):
            raise UnauthorizedError("the token does not have a valid audience")
        return claims


def claim_text(value: object) -> str:
    """Return a claim as the string that API Gateway passes on."""
    match value:
        case str():
            return value
        case list():
            return f"[{' '.join(claim_text(item) for item in value)}]"
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
