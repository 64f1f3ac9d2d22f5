from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.integration.api.client import user

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.api.client import Client
    from tests.integration.api.rows import Rows

SHARED = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # no example leaves anything behind in the API
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ("userId", "durationMinutes", "minCpuCores", "minMemoryMB")


@given(body=st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)))
@SHARED
def test_no_json_body_causes_a_server_error(api: Client, body: dict[str, Any]) -> None:
    reply = api.send("POST", "/api/allocations", body=body)

    assert reply.status in {409, 422}


@given(body=st.binary())
@example(body=b'{"userId":"\\ud800"}')
@SHARED
def test_no_bytes_cause_a_server_error(api: Client, body: bytes) -> None:
    assert api.send("POST", "/api/allocations", body=body).status in {409, 422}


MEDIA_TYPES = st.sampled_from(
    (
        *("application/json", "application/x-www-form-urlencoded", "application/merge-patch+json"),
        *("multipart/form-data", "text/plain", "application/", "/", "", ";", ",", " "),
    )
)
PARAMETERS = st.sampled_from(
    ("", ";", "; charset=utf-8", "; charset=utf-16", "; boundary=x", "; =")
)


@given(
    content_type=st.text() | st.builds(str.__add__, MEDIA_TYPES, PARAMETERS),
    body=st.binary() | st.just(b'{"userId": "u1"}') | st.just(b"userId=u1"),
)
@SHARED
def test_no_content_type_causes_a_server_error(api: Client, content_type: str, body: bytes) -> None:
    headers = {"content-type": content_type}

    reply = api.send("POST", "/api/allocations", body=body, headers=headers)

    assert reply.status in {409, 415, 422}


def test_the_default_content_type_of_curl_is_accepted(api: Client, rows: Rows) -> None:
    rows.device()
    headers = {"content-type": "application/x-www-form-urlencoded"}

    reply = api.send("POST", "/api/allocations", body={"userId": "u1"}, headers=headers)

    assert reply.status == 201


@pytest.fixture
def unlimited_api(start_api: Callable[..., Client]) -> Client:
    return start_api(CALLER_BURST_LIMIT=100_000)


@given(id_=st.text(min_size=1, max_size=80).filter(lambda text: "/" not in text))
@example(id_="u" * 65)
@example(id_="\x00")
@example(id_="' OR 1=1 -- ")
@example(id_="%00")
@SHARED
def test_no_id_in_a_path_causes_a_server_error(unlimited_api: Client, id_: str) -> None:
    place = quote(id_, safe="", errors="replace")
    for target in (
        f"/api/users/{place}",
        f"/api/devices/{place}",
        f"/api/allocations/{place}",
        f"/api/allocations/user/{place}",
        f"/api/users/{place}/notifications",
    ):
        reply = unlimited_api.get(target, claims=user("another"))
        # Access is checked before existence.
        assert reply.status in {403, 404, 422}, target
