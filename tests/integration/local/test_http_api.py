"""The HTTP API over real sockets, in front of a real function process."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx
import pytest

from local.gateway.api_app import api_app
from local.gateway.authorizer import JwtAuthorizer
from local.gateway.http_api import MAX_REQUEST_BYTES, HttpApi
from local.gateway.metrics import EmfCollector
from local.gateway.server import AsgiServer
from local.gateway.tokens import AUDIENCE, ISSUER, TokenIssuer
from local.lambda_runtime.environment import EnvironmentPool
from local.lambda_runtime.functions import Function
from tests.integration.local.conftest import PROBE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> TokenIssuer:
    return TokenIssuer.of(tmp_path_factory.mktemp("issuer"))


def serve(issuer: TokenIssuer, log_dir: Path, timeout: float) -> Iterator[httpx.Client]:
    function = Function("api", "probe.respond", {}, log_dir, 60, import_roots=(PROBE,))
    pool = EnvironmentPool(function, 2)
    authorizer = JwtAuthorizer(issuer.jwks(), ISSUER, frozenset((AUDIENCE,)))
    http_api = HttpApi(pool, authorizer, timeout)
    app = api_app(http_api, issuer.jwks(), EmfCollector(log_dir), lambda: "local-token")
    server = AsgiServer(app, 0)
    token = {"authorization": f"Bearer {issuer.issue_token('user-123')}"}
    with httpx.Client(
        base_url=f"http://127.0.0.1:{server.port}", headers=token, timeout=30
    ) as client:
        yield client
    server.stop()
    pool.close()


@pytest.fixture(scope="module")
def api(issuer: TokenIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    yield from serve(issuer, tmp_path_factory.mktemp("logs"), timeout=30)


def respond_with(api: httpx.Client, result: object) -> httpx.Response:
    """Make the function return `result`."""
    return api.post("/api/x", json={"answer": result})


def seen(response: httpx.Response) -> dict[str, Any]:
    event: dict[str, Any] = response.raise_for_status().json()
    return event


def test_function_receives_the_request_and_the_verified_claims(api: httpx.Client) -> None:
    event = seen(api.get("/api/users/%E8%AE%BE%20x?tag=a%20b&tag=c", headers={"X-Thing": "1"}))

    assert event["rawPath"] == "/api/users/设 x"
    assert event["rawQueryString"] == "tag=a%20b&tag=c"
    assert event["queryStringParameters"] == {"tag": "a b,c"}
    assert event["headers"]["x-thing"] == "1"
    claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
    assert claims["sub"] == "user-123"
    assert claims["exp"].isdigit()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_reaches_the_function(api: httpx.Client, method: str) -> None:
    event = seen(api.request(method, "/api/x"))

    assert event["requestContext"]["http"]["method"] == method


@pytest.mark.parametrize("token", ["", "Bearer x", 'Bearer e30.e30.", x="ü\n'])
def test_request_without_a_valid_token_does_not_reach_the_function(
    api: httpx.Client, token: str
) -> None:
    raw = token.encode("latin-1", "replace").replace(b"\n", b"")

    response = api.get("/api/devices", headers={b"authorization": raw})

    assert response.status_code == 401
    assert response.json() == {"message": "Unauthorized"}
    assert response.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("path", ["/api/health"])
def test_public_routes_need_no_token(api: httpx.Client, path: str) -> None:
    event = seen(api.get(path, headers={"authorization": ""}))

    assert event["rawPath"] == path
    assert "authorizer" not in event["requestContext"]


@pytest.mark.parametrize("path", ["/", "/api", "/console/publish", "/../api/devices"])
def test_other_paths_are_not_found(api: httpx.Client, path: str) -> None:
    response = api.get(path) if ".." not in path else api.get("/x")

    assert response.status_code == 404
    assert response.json() == {"message": "Not Found"}


def test_status_headers_and_cookies_of_the_function_are_returned(api: httpx.Client) -> None:
    response = respond_with(
        api,
        {
            "statusCode": 201,
            "headers": {"Content-Type": "application/json", "X-Count": 3},
            "cookies": ["a=1; Path=/", "b=2"],
            "body": '{"id": 1}',
        },
    )

    assert response.status_code == 201
    assert response.json() == {"id": 1}
    assert response.headers["x-count"] == "3"
    assert response.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2"]
    assert response.headers["apigw-requestid"].endswith("=")


def test_base64_body_is_decoded(api: httpx.Client) -> None:
    raw = bytes(range(256))
    body = base64.b64encode(raw).decode()

    response = respond_with(api, {"statusCode": 200, "body": body, "isBase64Encoded": True})

    assert response.content == raw


def test_result_without_status_is_the_body_of_a_200(api: httpx.Client) -> None:
    response = respond_with(api, {"message": "hello"})

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"message": "hello"}


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "many"},
        {"statusCode": 42},
        {"statusCode": 200, "body": "%%%", "isBase64Encoded": True},
        {"statusCode": 200, "headers": {"x": "a\nset-cookie: b"}},
        {"statusCode": 200, "headers": ["x"]},
        {"statusCode": 200, "body": {"not": "text"}},
    ],
)
def test_malformed_result_is_an_internal_error(api: httpx.Client, result: object) -> None:
    response = respond_with(api, result)

    assert response.status_code == 500
    assert response.json() == {"message": "Internal Server Error"}


@pytest.mark.parametrize("action", ["fail", "crash"])
def test_failing_function_is_an_internal_error_and_is_invoked_again(
    api: httpx.Client, action: str
) -> None:
    assert api.post("/api/x", json={"action": action}).status_code == 500
    assert api.get("/api/x").status_code == 200


def test_body_over_the_limit_is_refused(api: httpx.Client) -> None:
    response = api.post("/api/x", content=b"x" * (MAX_REQUEST_BYTES + 1))

    assert response.status_code == 413
    assert response.json() == {"message": "Request Entity Too Large"}


def test_body_over_lambdas_limit_is_refused(api: httpx.Client) -> None:
    assert api.post("/api/x", content=b"x" * 7_000_000).status_code == 413


def test_slow_function_results_in_503(issuer: TokenIssuer, tmp_path: Path) -> None:
    for client in serve(issuer, tmp_path, timeout=0.5):
        response = client.post("/api/x", json={"action": "hang"})

        assert response.status_code == 503
        assert response.json() == {"message": "Service Unavailable"}


def test_token_keys_are_published(api: httpx.Client, issuer: TokenIssuer) -> None:
    assert api.get("/.well-known/jwks.json").json() == json.loads(json.dumps(issuer.jwks()))


@pytest.mark.parametrize("path", ["/api/users/a%0ab", "/api/users/a%0d%0ab", "/api/users/%00"])
def test_path_with_control_characters_reaches_the_function(api: httpx.Client, path: str) -> None:
    assert seen(api.get(path))["rawPath"] == unquote(path)


def test_unknown_path_with_a_line_break_is_not_found(api: httpx.Client) -> None:
    response = api.get("/x%0ay")

    assert (response.status_code, response.json()) == (404, {"message": "Not Found"})


def test_swagger_ui_loads_nothing_from_other_hosts(api: httpx.Client) -> None:
    page = api.get("/docs")

    assert page.headers["content-type"].startswith("text/html")
    loaded = re.findall(r'(?:src|href|url)(?:=|: )"([^"]+)"', page.text)
    assert loaded == ["/docs/swagger-ui.css", "/docs/swagger-ui.js", "/openapi.json"]
    assert api.get(loaded[0]).headers["content-type"].startswith("text/css")
    assert "SwaggerUIBundle" in api.get(loaded[1]).text


@pytest.mark.parametrize(
    ("headers", "filled_in"),
    [
        ({}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"origin": "https://example.com"}, False),
        ({"host": "rebound.example.com"}, False),
    ],
)
def test_swagger_ui_has_a_token_unless_another_website_asks(
    api: httpx.Client, headers: dict[str, str], *, filled_in: bool
) -> None:
    page = api.get("/docs", headers=headers).text

    wanted = 'ui.preauthorizeApiKey("bearer", "local-token")'
    assert (wanted in page, "local-token" in page) == (filled_in, filled_in)


def test_the_events_are_a_page_without_scripts(api: httpx.Client) -> None:
    page = api.get("/docs/events")

    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    assert 'id="device.failed"' in page.text
    assert 'href="asyncapi.json"' in page.text
    assert api.get("/docs/asyncapi.json").json()["asyncapi"] == "3.0.0"


def test_openapi_document_needs_no_token(api: httpx.Client) -> None:
    event = seen(api.get("/openapi.json", headers={"authorization": ""}))

    assert event["rawPath"] == "/openapi.json"


def test_metrics_are_published_for_prometheus(api: httpx.Client) -> None:
    response = api.get("/metrics")

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")


def test_cors_allows_pages_of_other_origins(api: httpx.Client) -> None:
    asked = {
        "origin": "https://phones.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,idempotency-key",
    }

    with httpx.Client(base_url=api.base_url) as browser:
        preflight = browser.options("/api/allocations", headers=asked)
        refused = browser.get("/api/devices", headers={"origin": "https://phones.example"})

    assert preflight.status_code == 200
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in refused.headers
