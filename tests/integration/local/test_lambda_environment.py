"""An execution environment behaves like Lambda's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from local.lambda_runtime.environment import FunctionError, LambdaEnvironment, PayloadTooLargeError
from local.lambda_runtime.functions import Function
from tests.integration.local.conftest import PROBE, MakeEnvironment

if TYPE_CHECKING:
    from pathlib import Path


def test_result_of_the_handler_is_returned_as_json(make_environment: MakeEnvironment) -> None:
    event = {"text": "设备 🎉", "list": [1, 2.5, None, True]}

    assert json.loads(make_environment("echo").invoke(json.dumps(event).encode())) == event


def test_context_has_the_attributes_of_lambdas_context(make_environment: MakeEnvironment) -> None:
    seen = json.loads(make_environment("describe", timeout=30).invoke(b"{}"))

    assert len(seen["id"]) == 36
    assert seen["name"] == "probe"
    assert seen["memory"] == "1024"
    assert seen["arn"] == "arn:aws:lambda:us-east-1:000000000000:function:probe"
    assert 0 < seen["remaining"] <= 30_000


def test_handler_has_only_the_functions_variables(
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


def test_exception_is_reported_with_type_and_message(
    make_environment: MakeEnvironment, tmp_path: Path
) -> None:
    failing = make_environment("fail")

    with pytest.raises(FunctionError) as caught:
        failing.invoke(b"{}")

    assert caught.value.error_type == "LookupError"
    assert caught.value.message == "told to fail \x1b[2J\x9b\u202e设备"
    assert any("_fail" in line for line in caught.value.stack_trace)
    safe = "told to fail \\x1b[2J\\x9b\\u202e设备"
    assert f"[ERROR] LookupError: {safe}\n" in (tmp_path / "stream.log").read_text("utf-8")


def test_process_is_replaced_after_a_timeout(
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
def test_exit_of_the_process_is_an_error(
    make_environment: MakeEnvironment, handler: str, status: str
) -> None:
    dying = make_environment(handler)

    with pytest.raises(FunctionError, match=status) as caught:
        dying.invoke(b'"crash"')

    assert caught.value.error_type == "Runtime.ExitError"


def test_process_is_replaced_after_a_crash(make_environment: MakeEnvironment) -> None:
    dying = make_environment("crash")
    first = dying.invoke(b"{}")
    with pytest.raises(FunctionError):
        dying.invoke(b'"crash"')

    assert dying.invoke(b"{}") != first


def test_error_of_a_killed_process_names_the_signal(make_environment: MakeEnvironment) -> None:
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
def test_runtime_errors_have_lambdas_types(
    make_environment: MakeEnvironment, handler: str, error_type: str, message: str
) -> None:
    with pytest.raises(FunctionError, match=message) as caught:
        make_environment(handler).invoke(b"{}")

    assert caught.value.error_type == error_type


def test_every_invocation_fails_if_the_module_cannot_be_imported(tmp_path: Path) -> None:
    function = Function("absent", "absent.handler", {}, tmp_path, 5, import_roots=(PROBE,))
    environment = LambdaEnvironment(function, "stream")

    for _ in range(2):
        with pytest.raises(FunctionError, match="Unable to import module 'absent'") as caught:
            environment.invoke(b"{}")
        assert caught.value.error_type == "Runtime.ImportModuleError"
    environment.close()


def test_event_over_six_megabytes_does_not_reach_the_function(
    make_environment: MakeEnvironment, tmp_path: Path
) -> None:
    with pytest.raises(PayloadTooLargeError):
        make_environment("echo").invoke(b'"' + b"x" * 6 * 1024 * 1024 + b'"')

    assert not (tmp_path / "stream.log").exists()


def test_output_of_the_function_is_in_its_log(
    make_environment: MakeEnvironment, tmp_path: Path
) -> None:
    make_environment("speak").invoke(b"{}")

    text = (tmp_path / "stream.log").read_text()
    assert "said on stdout\n" in text
    assert "said on stderr\n" in text


def test_closed_environment_refuses_invocations(make_environment: MakeEnvironment) -> None:
    closed = make_environment("echo")
    closed.close()

    with pytest.raises(FunctionError, match="closed"):
        closed.invoke(b"{}")
