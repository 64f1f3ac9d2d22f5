"""What AWS answers before the function runs, as an error for the operator."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from operations.errors import OpsError
from ops import function_url
from ops.aws_session import aws_session
from ops.function_url import FunctionUrlOperations

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Any], FunctionUrlOperations]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_REGION", "ap-southeast-1")

    def answering(status: int, answer: object) -> FunctionUrlOperations:
        response = SimpleNamespace(status_code=status, content=json.dumps(answer))
        http = SimpleNamespace(send=lambda _request: response, close=lambda: None)
        monkeypatch.setattr(function_url, "URLLib3Session", lambda **_options: http)
        return FunctionUrlOperations("prod", "https://x.lambda-url.example/", aws_session())

    return answering


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (
            403,
            {"Message": "The security token included in the request is expired"},
            "your AWS credentials have expired; log in again",
        ),
        (
            403,
            {"Message": "Signature expired: 20261127T100000Z is now earlier than 20261127T101500Z"},
            "said: Signature expired: 20261127T100000Z",
        ),
        (403, {"Message": "Forbidden"}, "Forbidden; your role needs lambda:InvokeFunctionUrl"),
        (429, {"Reason": "ConcurrentInvocationLimitExceeded"}, "others are using it"),
        (502, "a page", "HTTP status 502; see its log"),
    ],
    ids=["expired", "clock", "role", "throttled", "proxy"],
)
def test_answer_of_aws_names_the_fix(
    answering: Callable[[int, Any], FunctionUrlOperations], status: int, answer: object, said: str
) -> None:
    with pytest.raises(OpsError) as caught:
        answering(status, answer).call("brake.status", {})

    assert said in str(caught.value)
