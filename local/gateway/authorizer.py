"""Tokens checked, and claims passed on, as a JWT authorizer of an HTTP API does.

The checks: docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html.
How claims arrive is not documented but measured (github.com/floci-io/floci/pull/2011): every
value is a string, an array is ``[a b]``, null is left out, an object is its JSON.
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
    """The request carries no token that counts; the text says why not."""


class JwtAuthorizer:
    """Accepts tokens of one issuer for given audiences."""

    def __init__(self, jwks: dict[str, Any], issuer: str, audiences: frozenset[str]) -> None:
        self._keys = PyJWKSet.from_dict(jwks)
        self._issuer = issuer
        self._audiences = audiences

    def claims(self, authorization: str | None) -> dict[str, str]:
        """Return the claims of a request's Authorization header as the function receives them.

        Raises:
            UnauthorizedError: no token, or one that is malformed, expired, not yet valid, of
                another key, issuer or audience.
        """
        if not authorization:
            raise UnauthorizedError("no token")
        # The header holds the token alone, or after "Bearer".
        is_bearer = authorization[: len(_BEARER)].lower() == _BEARER
        token = authorization[len(_BEARER) :] if is_bearer else authorization
        try:
            claims = self._verify(token.strip())
        except (PyJWTError, KeyError) as error:
            raise UnauthorizedError(str(error).strip("'")) from None
        return {name: render(value) for name, value in claims.items() if value is not None}

    def _verify(self, token: str) -> dict[str, Any]:
        key = self._keys[jwt.get_unverified_header(token).get("kid", "")]
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=_ALGORITHMS,
            issuer=self._issuer,
            options={"require": ["exp"], "verify_aud": False},
        )
        # `client_id` stands in for an absent `aud` only: Cognito's access tokens have no `aud`.
        given = claims["aud"] if claims.get("aud") is not None else claims.get("client_id")
        if self._audiences.isdisjoint(given if isinstance(given, list) else [given]):
            raise UnauthorizedError("the token does not have a valid audience")
        return claims


def render(value: object) -> str:
    """Return a claim as the string that API Gateway makes of it."""
    match value:
        case str():
            return value
        case list():
            return f"[{' '.join(render(item) for item in value)}]"
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
