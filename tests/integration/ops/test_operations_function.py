"""The operations function behind the local gateway: signatures, requests, what is recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.integration.ops.letters import Broker, letter

if TYPE_CHECKING:
    from local.operations import OperationsServer
    from tests.support.store import Store

BODY = json.dumps({"operation": "brake.engage", "arguments": {}})


def signed(function: OperationsServer, body: str = BODY, **changes: str) -> httpx.Response:
    """Post a request with a signature, after changing headers or body."""
    endpoint = function.endpoint()
    url = endpoint["url"]
    request = AWSRequest("POST", url, headers={"content-type": "application/json"}, data=body)
    secret = changes.pop("secret", endpoint["secretAccessKey"])
    credentials = Credentials(endpoint["accessKeyId"], secret)
    SigV4Auth(credentials, changes.pop("service", "lambda"), "us-east-1").add_auth(request)
    sent = changes.pop("sent", body)
    headers = {**dict(request.headers.items()), **changes}
    return httpx.post(url, content=sent, headers=headers, timeout=30)


def ask(function: OperationsServer, operation: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    answer = signed(function, json.dumps({"operation": operation, "arguments": arguments})).json()
    return answer.get("result", answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "another"},
        {"service": "s3"},
        {"sent": BODY.replace("engage", "arm")},
        {"X-Amz-Date": "20200101T000000Z"},
        {"Authorization": "Bearer token"},
        {"Authorization": ""},
    ],
    ids=["secret", "service", "body", "old", "scheme", "none"],
)
def test_request_without_a_valid_signature_is_refused(
    function: OperationsServer, store: Store, changes: dict[str, str]
) -> None:
    assert signed(function, **changes).status_code == 403
    assert store.rows("SELECT COUNT(*) FROM operator_actions") == [(0,)]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        *((one, "not JSON") for one in ("", "x", "[" * 100_000)),
        ("[]", "must be a JSON object"),
        ('{"operation": "brake.engage"}', 'must be {"operation": "…", "arguments": {…}}'),
        ('{"operation": 1, "arguments": {}}', 'must be {"operation": "…", "arguments": {…}}'),
        ('{"operation": "x", "arguments": {}}', "unknown operation x"),
        ('{"operation": "brake.arm", "arguments": {"x": 1}}', "x: Extra inputs"),
        ('{"operation": "brake.release", "arguments": {"seconds": NaN}}', "not a JSON number"),
    ],
    ids=["empty", "text", "deep", "list", "no arguments", "number", "unknown", "extra", "NaN"],
)
def test_malformed_request_is_refused(function: OperationsServer, body: str, why: str) -> None:
    answer = signed(function, body)

    assert (answer.status_code, answer.json()["code"]) == (400, 2)
    assert why in answer.json()["error"]


def test_function_itself_refuses_what_lambda_has_not_authenticated(
    function: OperationsServer,
) -> None:
    event = {"requestContext": {"authorizer": None}, "body": BODY}

    answer = json.loads(function.pool.submit(json.dumps(event).encode()).result())

    assert answer["statusCode"] == 403


def test_nothing_of_invalid_arguments_is_stored(function: OperationsServer, store: Store) -> None:
    edit = {"fingerprint": "f" * 64, "newId": "n"}
    for operation, arguments in (
        ("dead-letters.edit", edit | {"Body": "secret"}),
        ("dead-letters.edit", edit | {"body": "\ud800"}),
        ("dead-letters.replay", {"queues": ["\ud800"]}),
        ("brake.release", {"seconds": "secret"}),
    ):
        answer = signed(function, json.dumps({"operation": operation, "arguments": arguments}))

        assert (answer.status_code, answer.json()["code"]) == (400, 2)
    assert store.rows("SELECT COUNT(*) FROM operator_actions") == [(0,)]


def test_no_body_is_recorded(function: OperationsServer, broker: Broker, store: Store) -> None:
    broker.publish(letter(id="m-1"))
    (fingerprint,) = ask(function, "dead-letters.show", {})["fingerprints"]
    body = {"deviceId": "d1", "reason": "secret", "secret": "secret"}
    edit = {"fingerprint": fingerprint, "newId": "n", "body": json.dumps(body)}
    copies = {"letters": [{"raw": "secret"}]}

    errors = [
        ask(function, operation, arguments)["error"]
        for operation, arguments in (("dead-letters.edit", edit), ("dead-letters.restore", copies))
    ]

    assert "no field secret" in errors[0]
    stored = store.rows("SELECT arguments, result FROM operator_actions ORDER BY id")
    assert [json.loads(row[0]) for row in stored] == [edit | {"body": "…"}, {"letters": "1 items"}]
    assert {row[1] for row in stored} == {"the input is invalid; nothing was done"}
