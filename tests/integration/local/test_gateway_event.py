"""Requests become events in API Gateway's payload format 2.0."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from local.gateway.payload import HttpRequest, http_api_event
from local.gateway.routes import find_route

PLAIN = HttpRequest(
    method="GET",
    path="/api/devices",
    query="",
    headers=(("host", "127.0.0.1:30002"), ("user-agent", "curl/8.5.0")),
    body=b"",
    protocol="HTTP/1.1",
    client="127.0.0.1",
    port=30002,
)


def _event(request: HttpRequest, claims: dict[str, str] | None = None) -> dict[str, Any]:
    found = find_route(request.method, request.path)
    assert found
    return http_api_event(request, *found, claims, "request-id=")


def _with_body(body: bytes, content_type: str | None) -> dict[str, Any]:
    headers = (("content-type", content_type),) if content_type else ()
    return _event(replace(PLAIN, method="POST", body=body, headers=(*PLAIN.headers, *headers)))


def test_event_has_no_keys_for_absent_parts() -> None:
    event = _event(PLAIN)

    assert set(event) == {
        *("version", "routeKey", "rawPath", "rawQueryString", "headers"),
        *("pathParameters", "requestContext", "isBase64Encoded"),
    }
    assert event["version"] == "2.0"
    assert event["routeKey"] == event["requestContext"]["routeKey"] == "ANY /api/{proxy+}"
    assert event["rawPath"] == "/api/devices"
    assert event["rawQueryString"] == ""
    assert event["pathParameters"] == {"proxy": "devices"}
    assert event["isBase64Encoded"] is False
    assert "authorizer" not in event["requestContext"]


def test_request_context_describes_the_request() -> None:
    context = _event(PLAIN)["requestContext"]

    assert context["http"] == {
        "method": "GET",
        "path": "/api/devices",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "curl/8.5.0",
    }
    assert context["requestId"] == "request-id="
    assert context["stage"] == "$default"
    assert context["domainName"] == "127.0.0.1"
    assert context["time"].endswith(" +0000")
    assert context["timeEpoch"] > 1_700_000_000_000


def test_claims_are_in_the_request_context() -> None:
    event = _event(PLAIN, {"sub": "user-123", "scope": "openid admin"})

    assert event["requestContext"]["authorizer"] == {
        "jwt": {"claims": {"sub": "user-123", "scope": "openid admin"}, "scopes": None}
    }


def test_repeated_headers_are_joined_by_commas() -> None:
    headers = (*PLAIN.headers, ("accept", "a/b"), ("accept", "c/d"))

    assert _event(replace(PLAIN, headers=headers))["headers"]["accept"] == "a/b,c/d"


def test_forwarding_headers_are_added_and_hop_by_hop_headers_removed() -> None:
    given = (*PLAIN.headers, ("connection", "keep-alive"), ("x-forwarded-for", "10.0.0.1"))

    headers = _event(replace(PLAIN, headers=given))["headers"]

    assert headers["x-forwarded-for"] == "10.0.0.1,127.0.0.1"
    assert headers["x-forwarded-port"] == "30002"
    assert headers["x-amzn-trace-id"].startswith("Root=1-")
    assert "connection" not in headers


def test_cookies_are_moved_out_of_the_headers() -> None:
    headers = (*PLAIN.headers, ("cookie", "a=1; b=2"), ("cookie", "c=3"))

    event = _event(replace(PLAIN, headers=headers))

    assert event["cookies"] == ["a=1", "b=2", "c=3"]
    assert "cookie" not in event["headers"]


def test_query_parameters_are_decoded_but_not_the_query_string() -> None:
    event = _event(replace(PLAIN, query="tag=a%20b&tag=%E8%AE%BE&empty=&plus=1+2"))

    assert event["rawQueryString"] == "tag=a%20b&tag=%E8%AE%BE&empty=&plus=1+2"
    assert event["queryStringParameters"] == {"tag": "a b,设", "empty": "", "plus": "1 2"}


def test_path_ends_at_a_decoded_question_mark() -> None:
    assert _event(replace(PLAIN, path="/api/users/a?b"))["rawPath"] == "/api/users/a"


@pytest.mark.parametrize(
    ("body", "content_type", "expected", "is_base64"),
    [
        (b'{"a":1}', "application/json", '{"a":1}', False),
        ("设备".encode(), "text/plain; charset=utf-8", "设备", False),
        (b"text", None, "text", False),
        (b"\xff\x00", "application/octet-stream", "/wA=", True),
        (b"\xff\x00", "application/json", "/wA=", True),
        (b"a=1", "application/x-www-form-urlencoded", "YT0x", True),
    ],
)
def test_body_is_text_or_base64(
    body: bytes, content_type: str | None, expected: str, *, is_base64: bool
) -> None:
    event = _with_body(body, content_type)

    assert event["body"] == expected
    assert event["isBase64Encoded"] is is_base64


def test_event_of_a_request_without_body_has_no_body() -> None:
    assert "body" not in _with_body(b"", "application/json")


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("GET", "/api/health", "GET /api/health"),
        ("POST", "/api/health", "ANY /api/{proxy+}"),
        ("GET", "/api/health/", "ANY /api/{proxy+}"),
        ("DELETE", "/api/allocations/1", "ANY /api/{proxy+}"),
        ("GET", "/api/", None),
        ("GET", "/api", None),
        ("GET", "/docs", None),
        ("GET", "/", None),
        ("GET", "/apiary", None),
    ],
)
def test_most_specific_route_matches(method: str, path: str, key: str | None) -> None:
    found = find_route(method, path)

    assert (found[0].key if found else None) == key
