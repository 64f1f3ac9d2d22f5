"""One conditional write counts a failed payment, one resets the count.

The item of a user::

    user_id, failure_count, message_ids {set}, failures {set of "time message-id"},
    last_failure_at, last_reset_at, expires_at

Every write is decided by its condition alone, so concurrent writers cannot disagree. When a
condition fails, the item it met (ALL_OLD) tells why:

* the message is in the set            → counted before; the count stands
* a reset is newer than the failure    → superseded; nothing to count
* expires_at has passed                → the item counts as absent (TTL deletes days late)
* a failure is newer than this one     → count without moving last_failure_at back
* a failure is newer than the reset    → forget only the older ones, if the set is still as met
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from scheduler.payments.errors import CountRefusedError, PaymentsUnavailableError

if TYPE_CHECKING:
    from types_boto3_dynamodb.service_resource import Table

    from scheduler.settings import PaymentSettings

_TRIES: Final = 5
"""Each failed try means that another writer succeeded in between."""
_OVERTAKEN: Final = f"other writers changed the user's failures {_TRIES} times meanwhile"

_COUNT: Final = (
    "SET expires_at = :expires ADD failure_count :one, message_ids :message_ids, failures :failures"
)
_COUNT_NEWEST: Final = _COUNT.replace("SET ", "SET last_failure_at = :at, ")
_NOT_EXPIRED: Final = "(attribute_not_exists(expires_at) OR expires_at > :now)"
_NOT_COUNTED: Final = "NOT contains(message_ids, :message_id)"
_NOT_RESET: Final = "(attribute_not_exists(last_reset_at) OR last_reset_at <= :at)"
_NEWEST: Final = "(attribute_not_exists(last_failure_at) OR last_failure_at <= :at)"
_OLDER: Final = "last_failure_at > :at"
_COUNTABLE: Final = f"{_NOT_EXPIRED} AND {_NOT_COUNTED} AND {_NOT_RESET}"

_RESTART: Final = (
    "SET failure_count = :one, message_ids = :message_ids, failures = :failures,"
    " last_failure_at = :at, expires_at = :expires REMOVE last_reset_at"
)
_EXPIRED: Final = "expires_at <= :now"

_RESET: Final = (
    "SET failure_count = :zero, last_reset_at = :at, expires_at = :expires"
    " REMOVE message_ids, failures, last_failure_at"
)
_RESETTABLE: Final = f"(expires_at <= :now) OR ({_NEWEST} AND {_NOT_RESET})"

_FORGET: Final = (
    "SET failure_count = :count, message_ids = :ids, failures = :kept, last_reset_at = :at"
)
_AS_MET: Final = f"failures = :met AND {_NOT_RESET}"


class PaymentFailures:
    """The counter of failed payments. The table resource may be shared by threads."""

    def __init__(self, table: Table, ttl: timedelta) -> None:
        self._table = table
        self._ttl = ttl

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        """Count a failure once and return the user's count; None if a newer reset wiped it out.

        Args:
            user_id: whose payment failed.
            message_id: what makes the failure the same one again.
            at: when it failed; ``now``: when it is counted (the TTL starts there).
            now: the time of this run.

        Raises:
            CountRefusedError: other writers won every try, or the item cannot take it.
            PaymentsUnavailableError: DynamoDB is away, throttles or denies access.
        """
        values = {
            ":one": 1,
            ":message_id": message_id,
            ":message_ids": {message_id},
            ":failures": {f"{_iso(at)} {message_id}"},
            ":at": _iso(at),
            ":now": int(now.timestamp()),
            ":expires": int((now + self._ttl).timestamp()),
        }
        update, condition = _COUNT_NEWEST, f"{_COUNTABLE} AND {_NEWEST}"
        for _ in range(_TRIES):
            written, item = self._write(user_id, update, condition, values)
            if written:
                return int(item["failure_count"])
            if _is_expired(item, now):
                update, condition = _RESTART, _EXPIRED
            elif message_id in item.get("message_ids", ()):
                return int(item["failure_count"])
            elif item.get("last_reset_at", "") > _iso(at):
                return None
            elif item.get("last_failure_at", "") > _iso(at):
                update, condition = _COUNT, f"{_COUNTABLE} AND {_OLDER}"
            else:
                update, condition = _COUNT_NEWEST, f"{_COUNTABLE} AND {_NEWEST}"
        raise CountRefusedError(_OVERTAKEN)

    def reset(self, user_id: str, at: datetime, now: datetime) -> None:
        """Forget the failures up to ``at``; those after it stay. Older than a reset: nothing.

        Raises:
            CountRefusedError: other writers won every try.
            PaymentsUnavailableError: DynamoDB is away, throttles or denies access.
        """
        values = {
            ":zero": 0,
            ":at": _iso(at),
            ":now": int(now.timestamp()),
            ":expires": int((now + self._ttl).timestamp()),
        }
        update, condition = _RESET, _RESETTABLE
        for _ in range(_TRIES):
            written, item = self._write(user_id, update, condition, values)
            if written or item.get("last_reset_at", "") > _iso(at):
                return
            if item.get("last_failure_at", "") > _iso(at):
                update, condition = _FORGET, _AS_MET
                values |= _kept(item["failures"], at)
            else:
                update, condition = _RESET, _RESETTABLE
        raise CountRefusedError(_OVERTAKEN)

    def current(self, user_id: str, now: datetime) -> int:
        """Return a user's count; an expired one is 0.

        Raises:
            PaymentsUnavailableError: DynamoDB is away, throttles or denies access.
        """
        try:
            answer = self._table.get_item(Key={"user_id": user_id}, ConsistentRead=True)
        except (BotoCoreError, ClientError) as error:
            raise PaymentsUnavailableError(str(error)) from error
        item = answer.get("Item", {})
        return 0 if _is_expired(item, now) else int(str(item.get("failure_count", 0)))

    def _write(
        self, user_id: str, update: str, condition: str, values: dict[str, Any]
    ) -> tuple[bool, dict[str, Any]]:
        """Return (True, new item), or (False, the item that failed the condition)."""
        expression = update + condition
        used = {name: value for name, value in values.items() if _mentions(expression, name)}
        try:
            response = self._table.update_item(
                Key={"user_id": user_id},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=used,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            match error.response["Error"]["Code"]:
                case "ConditionalCheckFailedException":
                    return False, _plain(dict(error.response).get("Item", {}))
                case "ValidationException":
                    raise CountRefusedError(str(error)) from error
            raise PaymentsUnavailableError(str(error)) from error
        except BotoCoreError as error:
            raise PaymentsUnavailableError(str(error)) from error
        return True, response["Attributes"]


def payment_failures(settings: PaymentSettings) -> PaymentFailures:
    """Return the counter on the table of the settings."""
    import boto3  # noqa: PLC0415 - heavy; type checkers and tests do without
    from botocore.config import Config  # noqa: PLC0415 - likewise

    config = Config(
        max_pool_connections=32,
        connect_timeout=2,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    table = boto3.resource("dynamodb", config=config).Table(settings.payment_failures_table)
    return PaymentFailures(table, timedelta(days=settings.payment_failure_ttl_days))


def _kept(met: set[str], at: datetime) -> dict[str, Any]:
    kept = {failure for failure in met if failure.partition(" ")[0] > _iso(at)}
    ids = {failure.partition(" ")[2] for failure in kept}
    return {":met": met, ":kept": kept, ":ids": ids, ":count": len(kept)}


def _mentions(expression: str, name: str) -> bool:
    # DynamoDB refuses values that no expression uses.
    rest = expression.split(name)[1:]
    return any(not part[:1].isalnum() and part[:1] != "_" for part in rest)


def _is_expired(item: dict[str, Any], now: datetime) -> bool:
    return "expires_at" in item and int(str(item["expires_at"])) <= int(now.timestamp())


def _plain(item: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's own notation
    # The item of a failed condition arrives in DynamoDB's own notation, even in a resource.
    from boto3.dynamodb.types import TypeDeserializer  # noqa: PLC0415 - only on this path

    deserialize = TypeDeserializer().deserialize
    return {name: deserialize(value) for name, value in item.items()}


def _iso(moment: datetime) -> str:
    # Of constant width, so that texts compare like times.
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
