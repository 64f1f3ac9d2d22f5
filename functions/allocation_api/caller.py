"""The caller: the claims that the JWT authorizer of the HTTP API passes on.

It has verified signature, issuer, audience and expiry. Every claim arrives as a string, a list as
``[admin users]``
(github.com/aws-solutions-library-samples/guidance-for-claude-code-with-amazon-bedrock/pull/803),
so ``["billing admin"]`` looks like ``["billing", "admin"]``. Only two claims can be split at blanks
without a doubt: ``scope`` (RFC 6749, 3.3) and ``cognito:groups``, since a Cognito group's name has
none. Any other claim counts only if it is the value as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from allocation_api.errors import forbidden, unauthorized
from scheduler.domain.model import is_canary
from scheduler.messaging.contract import ResourceId

_WORDS_CLAIMS: Final = frozenset({"scope", "cognito:groups"})
_ACCESS_TOKEN: Final = "access"  # noqa: S105 - a kind of token
_USER_ID: Final[TypeAdapter[str]] = TypeAdapter(ResourceId)


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user; an administrator may act for every user."""

    user_id: str
    is_admin: bool

    @property
    def actor(self) -> str:
        """Return the caller as the history of allocations records them."""
        return f"user:{self.user_id}"

    def may_act_for(self, user_id: str) -> bool:
        """Return whether the caller may access what belongs to a user."""
        return self.is_admin or self.user_id == user_id

    def require(self, user_id: str) -> None:
        """Return if the caller may act for the user.

        Raises:
            ApiError: 403 rather than 404: the ids of allocations cannot be guessed, so a 404 would
                hide nothing.
        """
        if not self.may_act_for(user_id):
            raise forbidden()


class AdminClaim(NamedTuple):
    """The claim that makes a caller an administrator, and its value."""

    name: str
    value: str

    def is_in(self, claims: Mapping[str, Any]) -> bool:
        """Return whether the claims of a token have it."""
        claim = claims.get(self.name)
        if isinstance(claim, list):
            return self.value in claim
        text = str(claim or "")
        if self.name in _WORDS_CLAIMS:
            return self.value in text.removeprefix("[").removesuffix("]").split(" ")
        return text in {self.value, f"[{self.value}]"}


def caller_of(event: Mapping[str, Any], admin: AdminClaim) -> Caller:
    """Return who sent a request.

    Args:
        event: of the HTTP API.
        admin: what makes an administrator.

    Raises:
        ApiError: 401, the event carries no claims, their subject is not a valid user id or is that
            of a canary, whose rows disappear and which the mass-failure brake does not count; or
            the token is not an access token, where it says so (Cognito's ``token_use``).
    """
    claims = _claims(event)
    if claims.get("token_use", _ACCESS_TOKEN) != _ACCESS_TOKEN:
        raise unauthorized()
    try:
        user_id = _USER_ID.validate_python(claims.get("sub"))
    except ValidationError:
        raise unauthorized() from None
    if is_canary(user_id):
        raise unauthorized()
    return Caller(user_id, admin.is_in(claims))


def _claims(event: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = event
    for key in ("requestContext", "authorizer", "jwt", "claims"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}
