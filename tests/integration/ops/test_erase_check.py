"""``scheduler-ops erase check``, on the real database, broker and DynamoDB."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from local.aws import aws_client
from local.environment import aws_environment
from ops import traces
from scheduler.realtime.connections import Connections
from scheduler.realtime.tickets import Tickets
from tests.integration.ops.letters import Broker, letter
from tests.integration.ops.running import run
from tests.support.events import message
from tests.support.functions import OUTSIDE, Functions
from tests.support.world import held, user, world

if TYPE_CHECKING:
    from tests.support.store import Store


WITHOUT_IDS_OF_USERS: Final = frozenset(
    f"{table}.{column}"
    for table, columns in {
        # devices
        "devices": "id name adb_host",
        "early_reports": "device_id",
        "reservations": "device_id",
        # texts of a row that is found by its user
        "allocations": "device_id active_device_id",
        "notifications": "dedupe_key correlation_id",
        "notification_deliveries": "kind",
        "notification_preferences": "channels time_zone",
        "idempotency_keys": "idempotency_key",
        # queues, and what publishers call their messages and themselves
        "delivery_attempts": "queue message_id",
        "mass_failure_seconds": "queue",
        "outgoing_events": "routing_key correlation_id",
        "processed_messages": "queue message_id correlation_id publisher detail",
        "unapplied_messages": "queue message_id correlation_id publisher error",
        "unidentified_messages": "queue message_id batch_key parked_batch key_before key_after",
        # identities of AWS, and names of ours
        "operator_actions": "caller operation",
        "letter_actions": "queue message_id new_id caller",
    }.items()
    for column in columns.split()
)


@pytest.fixture
def environment(
    store: Store, broker: Broker, aws_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Store:
    """A user who holds a device, and the addresses of all servers."""
    for name, value in {
        **aws_environment(aws_url),
        **OUTSIDE,
        "DATABASE_URL": database_url,
        "BROKER_URL": broker.url,
    }.items():
        monkeypatch.setenv(name, value)
    store.seed(world(user("u1"), held("d1"), held("d2", by="u10")))
    return store


def check(expected_code: int, user_id: str = "u1") -> Any:  # noqa: ANN401 - any JSON
    result = run("erase", "check", user_id, "--json")
    assert result.exit_code == expected_code, result.output
    return json.loads(result.stdout)


def delete(store: Store, database_url: str) -> None:
    with Functions(database_url) as functions:
        functions.handle(message("user.deleted", userId="u1"))
    store.run("UPDATE erasures SET finished_at = requested_at")


def test_user_who_was_not_deleted_is_reported(environment: Store) -> None:
    assert environment.rows("SELECT * FROM erasures") == []

    found = check(1)

    assert (found["status"], found["erased"]) == ("active", False)
    assert found["left"] == {"users": 1, "allocations": 1}


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("user_id", "code", "said"),
    [
        ("u1", 1, "To erase: publish user.deleted userId=u1"),
        ("nobody", 1, "nobody is unknown. Is the id right?"),
        ("", 2, "should have at least 1 character"),
    ],
)
def test_next_step_is_named(user_id: str, code: int, said: str) -> None:
    result = run("erase", "check", user_id)

    assert result.exit_code == code
    assert said in result.output + result.stderr


def test_only_ids_are_left_of_an_erased_user(environment: Store, database_url: str) -> None:
    delete(environment, database_url)

    found = check(0)

    assert (found["status"], found["left"], found["notSearched"]) == ("deleted", {}, {})
    assert found["kept"]["allocations"] == 1
    assert found["finishedAt"]
    assert "the erasure was finished at" in run("erase", "check", "u1").output


def test_region_of_dynamodb_may_be_in_either_variable(
    environment: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete(environment, database_url)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    assert check(0)["notSearched"] == {}


def test_table_has_one_row_for_a_place_and_says_how_long_it_takes(
    environment: Store, database_url: str
) -> None:
    delete(environment, database_url)
    environment.run("UPDATE erasures SET finished_at = NULL")

    shown = run("erase", "check", "u1").output.splitlines()

    assert [line.split() for line in shown if line.startswith("users")] == [["users", "0", "1"]]
    assert "it usually takes less than three minutes" in shown[-1]


def test_what_is_left_anywhere_is_found(
    environment: Store, database_url: str, broker: Broker, aws_url: str
) -> None:
    delete(environment, database_url)
    environment.run(
        "INSERT INTO notification_preferences SET user_id = 'u1', channels = '{}'",
        "UPDATE allocations SET release_code = 'user_suspended', release_reason = 'why'",
        "UPDATE processed_messages SET aggregate = 'user', subject_id = 'u1'",
        "INSERT INTO unapplied_messages SET queue = 'q', message_id = 'm', outcome = 'duplicate',"
        " aggregate = 'user', subject_id = 'u1', first_at = NOW(6), last_at = NOW(6)",
        "INSERT INTO letter_actions SET queue = 'q', message_id = 'm', action = 'discarded',"
        " caller = 'c', acted_at = NOW(6), aggregate = 'user', subject_id = 'u1'",
    )
    dynamodb = aws_client("dynamodb", aws_url)
    table = OUTSIDE["PAYMENT_FAILURES_TABLE"]
    dynamodb.put_item(TableName=table, Item={"user_id": {"S": "u1"}})
    now = datetime.now(UTC)
    Tickets(dynamodb, OUTSIDE["REALTIME_TICKETS_TABLE"]).issue("u1", now)
    Connections(dynamodb, OUTSIDE["REALTIME_CONNECTIONS_TABLE"]).add("c1", "u1", now)
    about = b'{"userId": "%s", "reason": "x"}'
    broker.publish(
        letter("user.suspended", id="of-u1", body=about % b"u1"),
        letter("user.suspended", id="of-u10", body=about % b"u10"),
        letter("user.suspended", id="broken", body=b"\xff u1"),
    )

    found = check(1)

    assert found["left"] == {
        "notification_preferences": 1,
        "allocations": 1,
        "processed_messages": 1,
        "unapplied_messages": 1,
        "letter_actions": 1,
        "failed payments (DynamoDB)": 1,
        "limit of WebSocket connections (DynamoDB)": 1,
        "limit of WebSocket tickets (DynamoDB)": 1,
        "dead letters": 2,
    }
    assert found["deadLetters"] == ["of-u1", "broken"]


@pytest.mark.usefixtures("environment")
def test_letter_is_found_however_its_publisher_wrote_the_id(broker: Broker) -> None:
    body = {"userId": "用户-1", "reason": "x"}
    in_ascii = json.dumps(body).encode()
    in_utf8 = json.dumps(body, ensure_ascii=False).encode()
    broker.publish(
        letter("user.suspended", id="a", body=in_ascii),
        letter("user.suspended", id="b", body=in_utf8),
        letter("user.suspended", id="of-another", body=in_utf8.replace(b"-1", b"-10")),
    )

    assert check(1, "用户-1")["deadLetters"] == ["a", "b"]


def test_place_that_cannot_be_searched_is_named(
    environment: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete(environment, database_url)
    monkeypatch.setenv("BROKER_URL", "amqp://127.0.0.1:1/x")
    monkeypatch.delenv("PAYMENT_FAILURES_TABLE")

    found = check(1)

    assert set(found["notSearched"]) == {"DynamoDB", "dead letters"}
    assert not found["erased"]


def test_actions_of_operators_that_name_the_user_are_counted(environment: Store) -> None:
    of_others = {"ids": ["u10", "team-u1"]}
    actions = [({"ids": ["u1"]}, "ok"), (of_others, "ok"), ({}, "user u1, is unknown")]
    environment.insert(
        "operator_actions",
        "caller, operation, began_at, arguments, result",
        [
            ("arn", "x", datetime.now(UTC), json.dumps(arguments), result)
            for arguments, result in [*actions, ({"ids": ["用户"]}, None)]
        ],
    )

    assert check(1)["kept"]["operator_actions"] == 2
    assert check(1, "用户")["kept"]["operator_actions"] == 1


def test_every_column_that_may_hold_the_id_of_a_user_is_searched_or_named(store: Store) -> None:
    texts = store.rows(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND character_maximum_length >= 64"
        " AND table_name NOT LIKE '\\_yoyo%%'"  # of the tool that migrates
    )
    columns = {f"{table}.{column}" for table, column in texts}
    searched = {one for one in columns if _is_searched(*one.split("."))}

    assert traces.NOT_SEARCHED.isdisjoint(searched)
    listed = searched | traces.NOT_SEARCHED
    assert columns - listed == WITHOUT_IDS_OF_USERS, "add it to ops/traces.py, or to the list here"


def _is_searched(table: str, column: str) -> bool:
    conditions = (traces.ERASED.get(table, ""), traces.KEPT.get(table, ""))
    return any(re.search(rf"\b{column}\b", one) for one in conditions)
