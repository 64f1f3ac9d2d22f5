from __future__ import annotations

from typing import Any

import pytest

from allocation_api.caller import Caller, caller_of
from allocation_api.errors import ApiError


def event(**claims: object) -> dict[str, Any]:
    return {"requestContext": {"authorizer": {"jwt": {"claims": claims, "scopes": None}}}}


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": "admin"},
        {"scope": "read admin write"},
        {"groups": "[admin]"},
        {"groups": "[users admin]"},
        {"groups": "users,admin"},
        {"groups": ["users", "admin"]},
        {"cognito:groups": "[admin]"},
        {"scope": "read", "cognito:groups": "[users admin]"},
    ],
)
def test_scope_or_group_makes_an_administrator(claims: dict[str, object]) -> None:
    assert caller_of(event(sub="u1", **claims)) == Caller("u1", is_admin=True)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"scope": ""},
        {"scope": "read administrator"},
        {"scope": "Admin"},
        {"scope": "devices:admin"},
        {"groups": "[]"},
        {"groups": "[admins]"},
        {"groups": "nonadmin"},
        {"role": "admin"},
        {"roles": "[admin]"},
        {"name": "admin"},
        {"scope": None},
    ],
)
def test_other_claims_do_not_make_an_administrator(claims: dict[str, object]) -> None:
    assert caller_of(event(sub="admin", **claims)) == Caller("admin", is_admin=False)


@pytest.mark.parametrize(
    "without_claims",
    [
        {},
        {"requestContext": {}},
        {"requestContext": {"authorizer": None}},
        {"requestContext": {"authorizer": {"jwt": {}}}},
        {"requestContext": {"authorizer": {"jwt": {"claims": "sub"}}}},
        {"requestContext": {"authorizer": {"claims": {"sub": "u1"}}}},
        event(scope="admin"),
        event(sub=""),
        event(sub=None),
        event(sub=" u1"),
        event(sub="u1\x00"),
        event(sub="u" * 65),
        event(sub="team/u1"),
        event(sub="u1?"),
        event(sub=17),
    ],
)
def test_a_request_without_a_valid_subject_is_unauthorized(without_claims: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        caller_of(without_claims)

    assert refused.value.status == 401
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}


def test_a_user_may_act_for_themselves_only() -> None:
    caller = Caller("u1", is_admin=False)

    caller.require("u1")
    for other in ("u2", "U1", "u1 ", ""):
        with pytest.raises(ApiError) as refused:
            caller.require(other)
        assert (refused.value.status, refused.value.code) == (403, "forbidden")


def test_an_administrator_may_act_for_every_user() -> None:
    Caller("root", is_admin=True).require("u1")
