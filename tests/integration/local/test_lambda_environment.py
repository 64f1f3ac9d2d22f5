"""A Lambda execution environment behaves as Lambda's does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from local.lambda_runtime.environment import FunctionError, LambdaEnvironment, PayloadTooLargeError
from local.lambda_runtime.functions import Function
from tests.integration.local.conftest import PROBE, MakeEnvironment

if TYPE_CHECKING:
    from pathlib import Path


def test_the_result_of_the_handler_is_returned_as_json(make_environment: MakeEnvironment) -> None:
    event = {"text": "设备 🎉", "list": [1, 2.5, None, True]}

    assert json.loads(make_environment("echo").invoke(json.dumps(event).encode())) == event


def test_the_context_tells_what_lambdas_tells(make_environment: MakeEnvironment) -> None:
    seen = json.loads(make_environment("describe", timeout=30).invoke(b"{}"))

    assert len(seen["id"]) == 36
    assert seen["name"] == "probe"
    assert seen["memory"] == "1024"
    assert seen["arn"] == "arn:aws:lambda:us-east-1:000000000000:function:probe"
    assert 0 < seen["remaining"] <= 30_000


def test_the_handler_sees_its_own_variables_and_none_of_the_developers(
    make_environment: MakeEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the developer's own")

    variables = json.loads(make_environment("describe", DATABASE_URL="mysql://x").invoke(b"{}"))[
        "environment"
    ]

    assert variables["DATABASE_URL"] == "mysql://x"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "probe"
    assert "AWS_SECRET_ACCESS_KEY" not in variables


def test_invocations_share_one_process(make_environment: MakeEnvironment) -> None:
    warm = make_environment("crash")

    assert warm.invoke(b"{}") == warm.invoke(b"{}")


def test_an_exception_of_the_handler_keeps_its_type_message_and_process(
    make_environment: MakeEnvironment, tmp_path: Path
) -> None:
    failing = make_environment("fail")

    with pytest.raises(FunctionError) as caught:
        failing.invoke(b"{}")

    assert caught.value.error_type == "LookupError"
    assert caught.value.message == "told to fail"
    assert any("_fail" in line for line in caught.value.stack_trace)
    assert "[ERROR] LookupError: told to fail" in (tmp_path / "stream.log").read_text()


def test_a_function_that_exceeds_its_timeout_is_killed_and_replaced(
    make_environment: MakeEnvironment, tmp_path: Path
) -> None:
    slow = make_environment("hang", timeout=2)
    first = slow.invoke(b'"quick"')

    with pytest.raises(FunctionError, match=r"Task timed out after 2\.00 seconds") as caught:
        slow.invoke(b'"hang"')

    assert caught.value.error_type == "Sandbox.Timedout"
    assert slow.invoke(b'"quick"') != first
    assert "Task timed out" in (tmp_path / "stream.log").read_text()


@pytest.mark.parametrize(
    ("handler", "status"), [("crash", "exit status 3"), ("leave", "exit status 1")]
)
def test_a_process_that_dies_is_an_error_and_is_replaced(
    make_environment: MakeEnvironment, handler: str, status: str
) -> None:
    dying = make_environment(handler)

    with pytest.raises(FunctionError, match=status) as caught:
        dying.invoke(b'"crash"')

    assert caught.value.error_type == "Runtime.ExitError"


def test_the_invocation_after_a_crash_has_a_new_process(make_environment: MakeEnvironment) -> None:
    dying = make_environment("crash")
    first = dying.invoke(b"{}")
    with pytest.raises(FunctionError):
        dying.invoke(b'"crash"')

    assert dying.invoke(b"{}") != first


def test_a_killed_invocation_names_the_signal(make_environment: MakeEnvironment) -> None:
    running = make_environment("hang")
    running.invoke(b"{}")
    running.kill()

    with pytest.raises(FunctionError, match="signal: SIGKILL"):
        running.invoke(b"{}")


@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [
        ("absent", "Runtime.HandlerNotFound", "Handler 'absent' missing on module 'probe'"),
        ("unmarshallable", "Runtime.MarshalError", "Unable to marshal response"),
        ("enormous", "Function.ResponseSizeTooLarge", "exceeded maximum allowed payload size"),
    ],
)
def test_faults_of_the_function_have_lambdas_names(
    make_environment: MakeEnvironment, handler: str, error_type: str, message: str
) -> None:
    with pytest.raises(FunctionError, match=message) as caught:
        make_environment(handler).invoke(b"{}")

    assert caught.value.error_type == error_type


def test_a_module_that_cannot_be_imported_fails_every_invocation(tmp_path: Path) -> None:
    function = Function("absent", "absent.handler", {}, tmp_path, 5, import_roots=(PROBE,))
    environment = LambdaEnvironment(function, "stream")

    for _ in range(2):
        with pytest.raises(FunctionError, match="Unable to import module 'absent'") as caught:
            environment.invoke(b"{}")
        assert caught.value.error_type == "Runtime.ImportModuleError"
    environment.close()


def test_an_event_over_six_megabytes_does_not_reach_the_function(
    make_environment: MakeEnvironment, tmp_path: Path
) -> None:
    with pytest.raises(PayloadTooLargeError):
        make_environment("echo").invoke(b'"' + b"x" * 6 * 1024 * 1024 + b'"')

    assert not (tmp_path / "stream.log").exists()


def test_what_the_function_prints_is_in_its_log(
    make_environment: MakeEnvironment, tmp_path: Path
) -> None:
    make_environment("speak").invoke(b"{}")

    text = (tmp_path / "stream.log").read_text()
    assert "said on stdout\n" in text
    assert "said on stderr\n" in text


def test_a_closed_environment_serves_nothing(make_environment: MakeEnvironment) -> None:
    closed = make_environment("echo")
    closed.close()

    with pytest.raises(FunctionError, match="closed"):
        closed.invoke(b"{}")
