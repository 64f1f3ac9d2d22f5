"""The caller: the claims that the JWT authorizer of the HTTP API passes on.

It has verified signature, issuer, audience and expiry. Every claim arrives as a string; a list
arrives as ``[admin users]``
(github.com/aws-solutions-library-samples/guidance-for-claude-code-with-amazon-bedrock/pull/803).
A group whose name contains a space therefore looks like two groups: the identity provider in front
of this API must not have one (Cognito does not allow them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from allocation_api.errors import forbidden, unauthorized
from scheduler.messaging.contract import ResourceId

_ADMIN: Final = "admin"
_ROLE_CLAIMS: Final = ("scope", "groups", "cognito:groups")
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
        """Tell whether the caller may access what belongs to a user."""
        return self.is_admin or self.user_id == user_id

    def require(self, user_id: str) -> None:
        """Return if the caller may act for the user.

        Raises:
            ApiError: 403 rather than 404: the ids of allocations cannot be guessed, so a 404 would
                hide nothing.
        """
        if not self.may_act_for(user_id):
            raise forbidden()


def caller_of(event: Mapping[str, Any]) -> Caller:
    """Return who sent a request.

    Raises:
        ApiError: 401, the event carries no claims, or their subject is not a valid user id.
    """
    claims = _claims(event)
    try:
        user_id = _USER_ID.validate_python(claims.get("sub"))
    except ValidationError:
        raise unauthorized() from None
    roles = {role for claim in _ROLE_CLAIMS for role in _items(claims.get(claim))}
    return Caller(user_id, _ADMIN in roles)


def _claims(event: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = event
    for key in ("requestContext", "authorizer", "jwt", "claims"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _items(claim: object) -> list[str]:
    if isinstance(claim, list):
        return [str(item) for item in claim]
    text = str(claim or "").strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    return text.replace(",", " ").split()
