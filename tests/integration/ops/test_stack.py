"""``scheduler-ops --stack``: the function behind the local gateway, with real signatures."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.environment import aws_environment
from local.operations import STACK
from ops.console.access import TOKEN_HEADER
from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.integration.ops.letters import Broker, letter
from tests.integration.ops.running import run, start

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from local.operations import OperationsServer
    from tests.support.store import Store

FAILED = "scheduler.device-failed"


@pytest.fixture
def operator(
    function: OperationsServer, aws_url: str, monkeypatch: pytest.MonkeyPatch
) -> OperationsServer:
    """Our AWS credentials are those of the local operator; there is nothing else."""
    endpoint = function.endpoint()
    for name, value in {
        **aws_environment(aws_url),
        "AWS_ACCESS_KEY_ID": endpoint["accessKeyId"],
        "AWS_SECRET_ACCESS_KEY": endpoint["secretAccessKey"],
        "SCHEDULER_STACK": STACK,
    }.items():
        monkeypatch.setenv(name, value)
    return function


def ops(*arguments: str, code: int = 0, **options: Any) -> Result:  # noqa: ANN401 - as `run`
    result = run(*arguments, **options)
    assert result.exit_code == code, result.output + str(result.exception)
    return result


def test_dead_letters_are_listed_replayed_and_discarded(
    operator: OperationsServer, broker: Broker, store: Store, tmp_path: Path
) -> None:
    broker.publish(letter(id="m-1"), letter("user.suspended", id="m-2"), letter(id="m-3"))
    file = tmp_path / "copies.jsonl"

    listed = json.loads(ops("dead-letters", "list", "--json").stdout)
    shown = json.loads(ops("dead-letters", "show", "m-2", "--json").stdout)
    replayed = ops("dead-letters", "replay", "--queue", "device.failed")
    discarded = ops("dead-letters", "discard", "--yes", "--backup", str(file))
    restored = ops("dead-letters", "replay", "--from-file", str(file))

    assert (listed["total"], shown["letters"][0]["id"]) == (3, "m-2")
    assert replayed.stdout == "Replayed 2 of 3 dead letters.\n"
    assert "Discarded 1 of 1" in discarded.stdout
    assert restored.stdout == "Replayed 1 of 1 dead letters.\n"
    noted = store.rows("SELECT caller, message_id, action FROM letter_actions ORDER BY id")
    assert {row[0] for row in noted} == {operator.identity.arn}
    assert [row[1:] for row in noted] == [
        *(("m-1", "replayed"), ("m-3", "replayed")),
        *(("m-2", "discarded"), ("m-2", "replayed")),
    ]
    assert broker.ids(FAILED, "scheduler.user-suspended") == ["m-1", "m-3", "m-2"]
    assert broker.depth(DEAD_LETTER_QUEUE) == 0


@pytest.mark.usefixtures("operator")
def test_letters_that_are_too_large_for_one_answer_are_shown_and_discarded(
    broker: Broker, tmp_path: Path
) -> None:
    table = {f"key-{number}": f"value {number}" for number in range(10_000)}
    broker.publish(
        letter(id="nul", body=b"\0" * 2_000_000),
        *(letter(id=f"m-{number}", headers=table) for number in range(20)),
    )
    file = tmp_path / "copies.jsonl"

    shown = ops("dead-letters", "show", "nul", "--json")
    discarded = ops("dead-letters", "discard", "--yes", "--backup", str(file))

    assert "bodyBase64" in shown.stdout
    assert "Discarded 21 of 21" in discarded.stdout
    assert broker.depth(DEAD_LETTER_QUEUE) == 0


def test_each_change_is_recorded_with_its_caller(operator: OperationsServer, store: Store) -> None:
    ops("brake", "status")
    ops("brake", "engage")
    ops("publish", "device.failed", "deviceId=d1", "reason=x", "--id", "m-1")
    ops("dead-letters", "edit", "nobody", code=1)

    rows = store.rows(
        "SELECT caller, operation, arguments, result, ended_at >= began_at FROM operator_actions"
    )

    arn = operator.identity.arn
    assert [row[:2] for row in rows] == [(arn, "brake.engage"), (arn, "publish")]
    assert [(row[3], row[4]) for row in rows] == [("ok", 1)] * 2
    assert json.loads(rows[1][2])["ids"] == ["m-1"]
    assert "reason" not in rows[1][2]


@pytest.mark.usefixtures("operator")
def test_watch_shows_the_queues_of_the_stack(broker: Broker) -> None:
    broker.publish(letter())

    seen = json.loads(ops("watch", "--once", "--json").stdout)

    assert seen["queues"][DEAD_LETTER_QUEUE]["ready"] == 1


@pytest.mark.usefixtures("operator")
def test_region_may_be_in_either_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", os.environ["AWS_DEFAULT_REGION"])
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    ops("brake", "status")


@pytest.mark.usefixtures("operator")
def test_console_shows_the_stack_and_does_not_publish_unless_it_may(broker: Broker) -> None:
    broker.publish(letter())
    with start("console", "--json") as process:
        assert process.stdout
        base, token = json.loads(process.stdout.readline())["url"].split("/#token=")
        with httpx.Client(base_url=f"{base}/console/", headers={TOKEN_HEADER: token}) as page:
            config = page.get("config").json()
            seen = page.post("operations/overview", json={}, timeout=60).json()
            refused = page.post("publish", json={"eventType": "device.failed", "fields": {}})
        process.send_signal(signal.SIGINT)

    assert config["place"] == f"stack {STACK}"
    assert (config["allowPublish"], refused.status_code) == (False, 403)
    assert seen["broker"]["queues"][DEAD_LETTER_QUEUE]["ready"] == 1
    assert process.returncode in (0, 130, -signal.SIGINT)


@pytest.mark.usefixtures("operator")
def test_errors_of_the_function_are_those_of_the_command() -> None:
    result = ops("dead-letters", "replay", "--error", "/(/", code=2)
    unknown = ops("publish", "device.failed", "deviceId=d1", "reason=x", "resaon=y", code=2)

    assert "not a regular expression" in result.stderr
    assert "did you mean reason?" in unknown.stderr


@pytest.mark.usefixtures("operator")
def test_stack_and_url_exclude_each_other(broker: Broker) -> None:
    result = ops("dead-letters", "list", "--broker-url", broker.url, code=2)

    assert "both a stack and the URL" in result.stderr


@pytest.mark.usefixtures("operator")
def test_unknown_stack_is_named() -> None:
    result = ops("--stack", "typo", "brake", "status", code=1, SCHEDULER_STACK="")

    assert "cannot look up the stack typo" in result.stderr
    assert "SCHEDULER_STACK are the stack_name of samconfig.toml" in result.stderr


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize(
    ("missing", "fix"),
    [
        ({"AWS_REGION": None, "AWS_DEFAULT_REGION": None}, "no region; set AWS_REGION"),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "no AWS credentials; log in"),
    ],
)
def test_missing_aws_setting_is_named(missing: dict[str, None], fix: str) -> None:
    nothing = {"AWS_CONFIG_FILE": "/nowhere", "AWS_EC2_METADATA_DISABLED": "true"}
    more = nothing | {"AWS_SHARED_CREDENTIALS_FILE": "/nowhere"} | missing

    result = ops("--stack", "mine", "brake", "status", code=1, SCHEDULER_STACK="", **more)

    assert fix in result.stderr
