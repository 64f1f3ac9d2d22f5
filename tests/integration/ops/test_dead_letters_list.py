"""``dead-letters list``: groups of letters, and the letters that filters select."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from local.ports import free_port
from ops.direct import DirectOperations
from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.topology import DEAD_LETTER_QUEUE, VHOST
from tests.integration.ops.letters import Broker, letter
from tests.integration.ops.running import DeadLetters, run
from tests.support.events import message
from tests.support.world import NOW

if TYPE_CHECKING:
    from local.servers.rabbitmq import RabbitMQ

DEADLOCK = "OperationalError: (1213, 'Deadlock found')"
CAUSE = "OperationalError: (1213, *)"


def ago(**span: int) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


def test_letters_are_counted_by_queue_and_error_largest_group_first(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    oldest, older, newest = ago(days=2), ago(days=1), ago(hours=1)
    broker.publish(
        letter(error=DEADLOCK, failed_at=newest),
        letter(error=DEADLOCK, failed_at=oldest, id="oldest", replays=2),
        letter("user.suspended", error=DEADLOCK, failed_at=older, id="older"),
    )

    assert dead_letters.json("list") == {
        "readers": 0,
        "held": 0,
        "total": 3,
        "matched": 3,
        "groups": [
            {
                "queue": "scheduler.device-failed",
                "error": DEADLOCK,
                "count": 2,
                "oldest": oldest.isoformat(),
                "newest": newest.isoformat(),
                "oldestId": "oldest",
                "replays": 2,
                "cause": CAUSE,
                "hasWorkQueue": True,
            },
            {
                "queue": "scheduler.user-suspended",
                "error": DEADLOCK,
                "count": 1,
                "oldest": older.isoformat(),
                "newest": older.isoformat(),
                "oldestId": "older",
                "replays": 0,
                "cause": CAUSE,
                "hasWorkQueue": True,
            },
        ],
    }


def test_text_is_a_table(broker: Broker, dead_letters: DeadLetters) -> None:
    broker.publish(letter(error=DEADLOCK, failed_at=ago(hours=3, minutes=5), id="m-1", replays=1))

    heading, row, error, oldest, _, sum_line = dead_letters.run("list").stdout.splitlines()

    assert heading.split()[-4:] == ["Letters", "Oldest", "Newest", "Replays"]
    assert row.split() == ["scheduler.device-failed", "1", "3", "h", "3", "h", "1"]
    assert (error.strip(), oldest.strip()) == (DEADLOCK, "m-1")
    assert sum_line == "1 dead letter."


def test_ids_stay_whole_in_a_terminal_of_80_columns(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    id_ = str(uuid.uuid4())
    broker.publish(letter("billing.payment_success", id=id_, error=DEADLOCK * 5))

    shown = dead_letters.run("list", COLUMNS="80", FORCE_COLOR="1").stdout.splitlines()

    assert any(line.strip() == id_ for line in shown)
    assert any(line.startswith("scheduler.billing-payment-success ") for line in shown)
    assert max(map(len, shown[1:])) <= 80


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            "conflicting duplicate: message m-1 came before",
            "conflicting duplicate: message m-2 came before",
        ),
        ("body is not JSON: EOF at line 1 column 7", "body is not JSON: EOF at line 3 column 19"),
        ("KeyError: 'device-1'", "KeyError: 'device-2'"),
    ],
)
def test_errors_that_differ_only_in_ids_and_numbers_are_one_group(
    broker: Broker, dead_letters: DeadLetters, first: str, second: str
) -> None:
    broker.publish(letter(error=first, id="m-1"), letter(error=second, id="m-2"))

    (group,) = dead_letters.json("list")["groups"]
    assert (group["count"], group["error"]) == (2, first)


def test_letters_of_a_group_are_selected_by_its_cause(broker: Broker) -> None:
    broker.publish(letter(error="no d-1", id="d-1"), letter(error="no d-2 here", id="d-2"))
    operations = DirectOperations(broker.url)

    groups = operations.call("dead-letters.list", {"samples": 1})["groups"]

    assert sorted(group["cause"] for group in groups) == ["no *", "no * here"]
    found = operations.call("dead-letters.show", {"cause": "no *"})
    assert [one["id"] for one in found["letters"]] == ["d-1"]
    (shown,) = (group for group in groups if group["cause"] == "no *")
    assert (shown["letters"], shown["fingerprints"]) == (found["letters"], found["fingerprints"])


def test_database_errors_with_different_numbers_are_different_groups(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    broker.publish(letter(error=DEADLOCK), letter(error=DEADLOCK.replace("1213", "1205")))

    assert len(dead_letters.json("list")["groups"]) == 2


@pytest.mark.parametrize(
    ("options", "selected"),
    [
        ((), ["a", "b", "c", "d"]),
        (("--queue", "device.failed"), ["a", "b"]),
        (("--queue", "scheduler.user-suspended"), ["c"]),
        (("--queue", "device.failed", "--queue", "user.suspended"), ["a", "b", "c"]),
        (("--error", "DEADLOCK"), ["a"]),
        (("--error", "(1213,"), ["a"]),
        (("--error", "/^lookup.*[01]$/"), ["b", "c"]),
        (("--id", "d", "--id", "a"), ["a", "d"]),
        (("--older-than", "90m"), ["a", "b"]),
        (("--newer-than", "90m"), ["c", "d"]),
        (("--older-than", "90m", "--newer-than", "1d"), ["b"]),
        (("--queue", "device.failed", "--error", "lookup"), ["b"]),
        (("--id", "nobody"), []),
    ],
)
def test_filters_are_combined(
    broker: Broker, dead_letters: DeadLetters, options: tuple[str, ...], selected: list[str]
) -> None:
    broker.publish(
        letter(id="a", error=DEADLOCK, failed_at=ago(days=3)),
        letter(id="b", error="LookupError: device-0", failed_at=ago(hours=2)),
        letter("user.suspended", id="c", error="LookupError: device-1", failed_at=ago(hours=1)),
        letter("billing.overdue", id="d", error="killed its consumer"),
    )

    listed = dead_letters.json("list", *options)

    assert (listed["total"], listed["matched"]) == (4, len(selected))
    if selected:
        shown = dead_letters.json("show", *options_of_show(options))["letters"]
        assert [one["id"] for one in shown] == selected


def options_of_show(options: tuple[str, ...]) -> list[str]:
    """Return the same filters for show, which takes ids as arguments."""
    return [one for one in options if one != "--id"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--error", "/(/"), "not a regular expression"),
        (("--older-than", "yesterday"), "write 90s, 30m, 2h or 7d"),
        (("--newer-than", "-5m"), "write 90s, 30m, 2h or 7d"),
    ],
)
def test_malformed_filter_is_refused(
    dead_letters: DeadLetters, options: tuple[str, ...], said: str
) -> None:
    result = dead_letters.run("list", *options)

    assert result.exit_code == 2
    assert said in result.stderr


def test_message_dead_lettered_by_the_broker_has_its_queue_and_reason(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    death = {
        "queue": "scheduler.user-deleted",
        "reason": "delivery_limit",
        "count": 1,
        "exchange": "",
        "routing-keys": ["scheduler.user-deleted"],
        "time": NOW,
    }
    poison = {"message_id": "poison", "headers": {"x-death": [death]}}
    broker.publish(OutboundMessage("", DEAD_LETTER_QUEUE, b"{}", poison))
    broker.publish(
        OutboundMessage("", "scheduler.device-failed", b"{}", {"message_id": "rejected"})
    )
    broker.reject("scheduler.device-failed")
    broker.eventually_holds(2, DEAD_LETTER_QUEUE)

    groups = {one["oldestId"]: one for one in dead_letters.json("list")["groups"]}

    assert groups["poison"]["queue"] == "scheduler.user-deleted"
    assert groups["poison"]["error"] == "dead-lettered by the broker: delivery_limit"
    assert groups["poison"]["oldest"]
    assert groups["rejected"]["queue"] == "scheduler.device-failed"
    assert groups["rejected"]["error"] == "dead-lettered by the broker: rejected"


def test_letter_without_headers_is_grouped_by_its_routing_key(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    broker.publish(OutboundMessage("cloudphone.dlx", "scheduler.user-deleted.failed", b"body", {}))

    (group,) = dead_letters.json("list")["groups"]
    assert group["queue"] == "scheduler.user-deleted"
    assert (group["error"], group["oldest"]) == ("unknown error", None)
    assert group["oldestId"].startswith("sha256:")
    assert dead_letters.json("list", "--older-than", "0s")["matched"] == 0


def test_progress_is_shown_on_a_terminal_only(broker: Broker, dead_letters: DeadLetters) -> None:
    broker.publish(letter())

    assert "Reading" in dead_letters.run("list", FORCE_COLOR="1").stderr
    assert dead_letters.run("list").stderr == ""


def test_broker_error_does_not_contain_the_password() -> None:
    port = free_port()

    result = DeadLetters(f"amqp://user:secret@127.0.0.1:{port}/{VHOST}").run("list")

    assert result.exit_code == 1
    assert f"cannot reach the broker at 127.0.0.1:{port}/{VHOST}" in result.stderr
    assert "secret" not in result.output + result.stderr


def test_error_says_that_the_virtual_host_has_no_topology(rabbitmq: RabbitMQ) -> None:
    result = DeadLetters(rabbitmq.create_vhost("empty")).run("list")

    assert result.exit_code == 1
    assert "there is no queue scheduler.dead-letters; check the virtual host" in result.stderr


def test_error_without_platform_names_the_command_to_start_it() -> None:
    result = run("dead-letters", "list")

    assert result.exit_code == 1
    assert "make run" in result.stderr


def test_messages_in_work_queues_are_not_listed(broker: Broker, dead_letters: DeadLetters) -> None:
    sent = message("device.failed")
    broker.publish(OutboundMessage("", sent.queue, sent.body, sent.properties))

    assert dead_letters.json("list") == {
        "total": 0,
        "matched": 0,
        "groups": [],
        "readers": 0,
        "held": 0,
    }
