from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation_api.caller import AdminClaim, Caller, caller_of
from allocation_api.errors import ApiError
from local.gateway.authorizer import claim_text
from scheduler.domain.model import CANARY_PREFIX


def event(**claims: object) -> dict[str, Any]:
    return {"requestContext": {"authorizer": {"jwt": {"claims": claims, "scopes": None}}}}


GROUP = AdminClaim("cognito:groups", "cloudphone:admin")


@pytest.mark.parametrize(
    ("admin", "claim"),
    [
        (GROUP, "[cloudphone:admin]"),
        (GROUP, "[users cloudphone:admin]"),
        (GROUP, ["users", "cloudphone:admin"]),
        (AdminClaim("scope", "admin"), "admin"),
        (AdminClaim("scope", "admin"), "read admin write"),
        (AdminClaim("roles", "admin"), "[admin]"),
        (AdminClaim("roles", "admin"), "admin"),
        (AdminClaim("roles", "admin"), ["user", "admin"]),
        (AdminClaim("isSuperAdmin", "true"), "true"),
    ],
)
def test_value_of_the_claim_makes_an_administrator(admin: AdminClaim, claim: object) -> None:
    assert caller_of(event(sub="u1", **{admin.name: claim}), admin) == Caller("u1", is_admin=True)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"scope": "cloudphone:admin"},
        {"groups": "[cloudphone:admin]"},
        {"role": "cloudphone:admin"},
        {"cognito:groups": ""},
        {"cognito:groups": None},
        {"cognito:groups": "[]"},
        {"cognito:groups": "[admin]"},
        {"cognito:groups": "[cloudphone:administrators]"},
        {"cognito:groups": "[users,cloudphone:admin]"},
        {"cognito:groups": "[Cloudphone:Admin]"},
        {"cognito:groups": ["billing cloudphone:admin"]},
        {"cognito:groups": "[cloudphone:admin\u00a0]"},
        {"cognito:groups": {"cloudphone:admin": True}},
    ],
)
def test_other_claims_do_not_make_an_administrator(claims: dict[str, object]) -> None:
    assert caller_of(event(sub="admin", **claims), GROUP) == Caller("admin", is_admin=False)


@pytest.mark.parametrize(
    "claim", ["[billing admin]", "[not admin]", "[read-only,admin]", " admin ", "[admin user]", "a"]
)
@pytest.mark.parametrize("name", ["groups", "roles", "role"])
def test_claim_that_may_contain_blanks_is_compared_as_a_whole(name: str, claim: str) -> None:
    caller = caller_of(event(sub="u1", **{name: claim}), AdminClaim(name, "admin"))

    assert not caller.is_admin


@given(groups=st.lists(st.text(alphabet="admin: ,[]\t", max_size=12), max_size=4))
def test_only_the_whole_value_of_an_api_gateway_list_makes_an_administrator(
    groups: list[str],
) -> None:
    caller = caller_of(event(sub="u1", roles=claim_text(groups)), AdminClaim("roles", "admin"))

    assert not caller.is_admin or groups == ["admin"]


def test_cognitos_identity_token_is_not_accepted() -> None:
    caller_of(event(sub="u1", token_use="access"), GROUP)

    with pytest.raises(ApiError) as refused:
        caller_of(event(sub="u1", token_use="id"), GROUP)
    assert refused.value.status == 401


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
        event(sub=CANARY_PREFIX + "u1"),
    ],
)
def test_a_request_without_a_valid_subject_is_unauthorized(without_claims: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        caller_of(without_claims, GROUP)

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
