"""What an operation may use: broker, database, the time that it has, and who calls it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from operations import broker, database
from operations.errors import InvalidInputError, OpsError
from scheduler.deadline import NEVER, Deadline
from scheduler.messaging.contract import ZonedTime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from pika import BlockingConnection
    from pydantic_core import ErrorDetails

    from scheduler.database.cursor import BulkCursor
    from scheduler.payments.counter import PaymentFailures

EventOutcomes = dict[str, dict[str, int]]
"""Number of messages by event type and status."""

CALL_SECONDS: Final = 10.0
"""After this time a call starts nothing new, and returns where the next call continues."""
AWS_TIMEOUTS: Final[dict[str, Any]] = {
    "connect_timeout": 1,
    "read_timeout": 2,
    "retries": {"mode": "standard", "total_max_attempts": 1},
}
"""For botocore's ``Config``, in seconds: the caller tries again."""


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # near the years 1 and 9999
        raise ValueError("is out of range") from None


Moment = Annotated[ZonedTime, AfterValidator(_to_utc)]
"""A time with a zone; in UTC."""


class Arguments(BaseModel):
    """The arguments of an operation; unknown ones are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, extra="forbid", frozen=True
    )


class NoArguments(Arguments):
    """For operations without arguments."""


_Checked = TypeVar("_Checked", bound=Arguments)


def checked(model: type[_Checked], given: Mapping[str, Any], about: str) -> _Checked:
    """Return what a caller has given as the model of it.

    Args:
        model: what is expected.
        given: JSON data.
        about: what it is for; begins the message of an error.

    Raises:
        InvalidInputError: names each invalid value, and what is wrong with it.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(
            ": ".join(filter(None, (".".join(map(str, one["loc"])), _said(one))))
            for one in error.errors()
        )
        raise InvalidInputError(f"{about}: {problems}") from None


def _said(problem: ErrorDetails) -> str:
    return problem["msg"].removeprefix("Value error, ")


def _no_payments() -> PaymentFailures:
    raise OpsError("the table of failed payments is known for a stack and the local platform only")


def _soon() -> Deadline:
    return Deadline(time.monotonic() + CALL_SECONDS)


@dataclass(frozen=True, slots=True)
class OperationContext:
    """One call of an operation.

    Attributes:
        broker_url: returns the broker's address; raises `OpsError` if there is none.
        database_url: likewise for the database.
        shards: queues per event.
        management_url: RabbitMQ's HTTP API with a login, if it can be reached.
        outcomes: returns the number of messages by event type and status, or None.
        payments: returns the counter of failed payments; raises `OpsError` if none is known.
        default_max_devices: the quota of users for whom no event has set one.
        caller: who calls, as the audit table has it.
        now: when the call began, in UTC.
        deadline: when it should start nothing new.
        last_moment: when it must return; reading a long queue continues until then.
    """

    broker_url: Callable[[], str]
    database_url: Callable[[], str]
    shards: int = 1
    management_url: str | None = None
    outcomes: Callable[[], EventOutcomes | None] = lambda: None
    payments: Callable[[], PaymentFailures] = _no_payments
    default_max_devices: int = 10
    caller: str = ""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    deadline: Deadline = field(default_factory=_soon)
    last_moment: Deadline = NEVER

    def connected(self) -> AbstractContextManager[BlockingConnection]:
        """Connect to the broker for the duration of a block; raises as `broker.connected`."""
        return broker.connected(self.broker_url())

    def transaction(self) -> AbstractContextManager[BulkCursor]:
        """Run a block in one transaction; raises as `database.transaction`."""
        return database.transaction(self.database_url())
