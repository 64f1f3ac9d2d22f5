"""Mistakes of operators are refused with a hint, before anything happens."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.integration.ops.letters import Broker, letter
from tests.integration.ops.running import run
from tests.support.world import held, user, world

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.ops.running import DeadLetters
    from tests.support.store import Store

FAILED = "scheduler.device-failed"


@pytest.mark.parametrize("command", ["list", "show", "replay", "discard"])
@pytest.mark.parametrize(
    ("queue", "hint"),
    [
        ("device.faild", "did you mean device.failed?"),
        ("nonsense", "there are device.failed"),
        ("scheduler.device-faild", "did you mean scheduler.device-failed?"),
    ],
)
def test_filter_that_names_no_queue_is_refused(
    broker: Broker, dead_letters: DeadLetters, command: str, queue: str, hint: str
) -> None:
    broker.publish(letter(id="m-1"))

    result = dead_letters.run(command, "--queue", queue)

    assert (result.exit_code, hint in result.stderr) == (2, True), result.stderr
    assert broker.ids(DEAD_LETTER_QUEUE) == ["m-1"]


@pytest.mark.parametrize("option", ["--error", "--older-than", "--newer-than"])
@pytest.mark.parametrize("command", ["list", "show", "replay", "discard"])
def test_filter_of_a_variable_that_is_not_set_does_not_select_every_letter(
    broker: Broker, dead_letters: DeadLetters, command: str, option: str
) -> None:
    broker.publish(letter(id="m-1"))

    result = dead_letters.run(command, option, "")

    assert result.exit_code == 2, result.output
    assert broker.ids(DEAD_LETTER_QUEUE) == ["m-1"]


def test_file_whose_readable_body_was_edited_is_refused(
    broker: Broker, dead_letters: DeadLetters, tmp_path: Path
) -> None:
    file = tmp_path / "copies.jsonl"
    broker.publish(letter(id="m-1"), letter(id="m-2"))
    dead_letters.run("discard", "--yes", "--backup", str(file))
    first, second = file.read_text().splitlines()
    edited = json.loads(second)
    edited["body"]["reason"] = "Repaired"
    file.write_text(f"{first}\n{json.dumps(edited)}\n")

    result = dead_letters.run("replay", "--from-file", str(file))

    assert result.exit_code == 2
    assert f"{file}, line 2: body was edited, but raw.body was not" in result.stderr
    assert broker.depth(FAILED) == 0


@pytest.mark.parametrize(
    ("event", "values", "hint"),
    [
        ("device.failed", ("deviceId=d1", "reason=x", "resaon=y"), "did you mean reason?"),
        ("user.quota_updated", ("userId=u1", "newQuota.maxDevicez=1"), "newQuota.maxDevices?"),
    ],
)
def test_unknown_field_is_published_on_demand_only(
    broker: Broker, event: str, values: tuple[str, ...], hint: str
) -> None:
    where = ("--broker-url", broker.url)
    more = ("newQuota.maxDevices=2",) if event == "user.quota_updated" else ()

    refused = run("publish", event, *values, *more, *where)
    allowed = run("publish", event, *values, *more, "--allow-unknown", *where)

    assert (refused.exit_code, hint in refused.stderr) == (2, True), refused.stderr
    assert allowed.exit_code == 0


def test_other_format_of_device_created_is_known(broker: Broker) -> None:
    values = ("deviceId=d1", "deviceName=n", "deviceConfig.cpuCores=2")

    assert run("publish", "device.created", *values, "--broker-url", broker.url).exit_code == 0


def test_dry_run_says_what_each_letter_would_change(
    broker: Broker, dead_letters: DeadLetters, store: Store, database_url: str
) -> None:
    store.seed(world(user("u1"), held("d1")))
    at = datetime.now(UTC)
    broker.publish(
        letter(id="m-1", deviceId="d1", at=at),
        letter(id="m-2", body=b"{}"),
        letter("billing.payment_failed", id="m-3", userId="u1"),
    )
    before = store.rows("SELECT * FROM allocations")

    result = dead_letters.run("replay", "--dry-run", DATABASE_URL=database_url)

    lines = result.stdout.splitlines()
    assert lines[0] == "m-1 (device-failed): done"
    assert "  releases d1 of u1: device_failed" in lines
    assert any(line.startswith("m-2 (device-failed): invalid: ") for line in lines)
    assert "m-3 (billing-payment-failed): counted" in lines
    assert lines[-1] == "Would replay 3 of 3 dead letters."
    assert store.rows("SELECT * FROM allocations") == before
    assert broker.depth(DEAD_LETTER_QUEUE) == 3
