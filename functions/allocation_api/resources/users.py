"""Users: their state and quota, and changes by administrators."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from pydantic import Field, StringConstraints
from pymysql.cursors import Cursor

from allocation_api.access import Access, Router
from allocation_api.errors import not_found
from allocation_api.fields import WHOLE, PathId, Quantity, RequestBody, ResponseBody, TimeZone
from allocation_api.openapi.responses import body_of, refusal
from allocation_api.settings import AWS_TIMEOUTS
from scheduler.database.connection import Database
from scheduler.domain.guard import Aggregate, Concern, Stamp
from scheduler.domain.model import UserStatus
from scheduler.domain.quota import release_surplus_devices
from scheduler.domain.refusal import require_existing
from scheduler.ids import uuid7
from scheduler.observability.logger import service_logger
from scheduler.payments.failure import PaymentsUnavailableError
from scheduler.settings import PaymentSettings
from scheduler.unit_of_work import UnitOfWork, UnitsOfWork

if TYPE_CHECKING:
    from scheduler.payments.counter import PaymentFailures

# ASCII only: SES takes internationalised domains in Punycode and no other local parts
# (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html).
Email = Annotated[
    str,
    StringConstraints(
        max_length=254,
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}$",
    ),
]
E164 = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]
"""A telephone number in the international format of ITU-T E.164: + and up to 15 digits."""


class Locale(StrEnum):
    """The languages of notifications."""

    CHINESE = "zh-CN"
    ENGLISH = "en"


class UserChange(RequestBody):
    """The fields to change: an absent one stays, null removes a limit, an address or a zone."""

    # The factories only make the fields optional without allowing null.
    max_devices: Annotated[int, Field(strict=True, ge=0, le=1_000_000, default_factory=int), WHOLE]
    max_cpu: Quantity | None = None
    max_memory_mb: Quantity | None = None
    email: Email | None = None
    phone: E164 | None = None
    locale: Annotated[Locale, Field(default_factory=lambda: Locale.CHINESE)]
    time_zone: TimeZone | None = None


class UserResponse(ResponseBody):
    """A user; ``paymentFailures`` is null while the count is unavailable.

    Without a ``timeZone``, notifications show times in the zone of the user's quiet hours, else of
    their locale.
    """

    id: str
    status: UserStatus
    billing_hold: bool
    max_devices: int
    max_cpu: int | None
    max_memory_mb: int | None
    active_devices: int
    payment_failures: int | None
    email: str | None
    phone: str | None
    locale: Locale
    time_zone: str | None


class UserRow(NamedTuple):
    """A user and the number of devices they hold."""

    id: str
    status: str
    billing_hold: bool
    max_devices: int
    max_cpu: int | None
    max_memory_mb: int | None
    email: str | None
    phone: str | None
    locale: str
    time_zone: str | None
    active_devices: int


_SELECT: Final = """
    SELECT u.id, u.status, u.billing_hold, u.max_devices, u.max_cpu, u.max_memory_mb,
           u.email, u.phone, u.locale, u.time_zone,
           (SELECT COUNT(*) FROM allocations a WHERE a.user_id = u.id AND a.status = 'ALLOCATED')
    FROM users u WHERE u.id = %s
"""
_UPDATE_CONTACT: Final = "UPDATE users SET {assignments} WHERE id = %s"
_CONTACT_COLUMNS: Final = ("email", "phone", "locale", "time_zone")
_QUOTA_COLUMNS: Final = ("max_devices", "max_cpu", "max_memory_mb")

_logger: Final = service_logger()


def select_user(cursor: Cursor, user_id: str) -> UserRow | None:
    """Return a user; None if there is none with that id."""
    cursor.execute(_SELECT, (user_id,))
    row = cursor.fetchone()
    return UserRow(*row) if row else None


class PaymentFailureCount:
    """Reads the counter of failed payments, connected on first use."""

    def __init__(self, settings: PaymentSettings) -> None:
        self._settings = settings

    def of(self, user_id: str) -> int | None:
        """Return the user's number of failed payments; None if DynamoDB is unavailable."""
        try:
            return self._failures.current(user_id, datetime.now(UTC))
        except PaymentsUnavailableError as error:
            _logger.warning("Payment failures are unknown", extra={"error": str(error)})
            return None

    @cached_property
    def _failures(self) -> "PaymentFailures":
        from scheduler.payments.counter import (  # noqa: PLC0415 - 300 ms other routes need not spend
            payment_failures,
        )

        return payment_failures(self._settings, AWS_TIMEOUTS)


def user_routes(database: Database, settings: PaymentSettings, units: UnitsOfWork) -> Router:
    """Return the routes that show users and change them."""
    router = Router()
    payment_failures = PaymentFailureCount(settings)

    @router.get("/api/users/<user_id>", operation_id="getUser", summary="Get a user")
    @router.allow(Access.OWNER)
    def look_up(user_id: PathId) -> UserResponse:
        with database.transaction() as sql:
            found = select_user(sql, user_id)
        if found is None:
            raise not_found("user")
        failures = payment_failures.of(user_id)
        return UserResponse.model_validate(found._asdict() | {"payment_failures": failures})

    @router.put(
        "/api/users/<user_id>",
        operation_id="changeUser",
        summary="Change quota, contact, locale or time zone; an unknown user is created",
        responses={200: body_of(UserResponse), 403: refusal("user_deleted")},
    )
    @router.allow(Access.ADMIN)
    def change(user_id: PathId, body: UserChange) -> UserResponse:
        columns, actor = body.model_dump(exclude_unset=True), router.caller.actor
        units.run(lambda unit: _change(unit, user_id, columns, actor))
        return look_up(user_id)

    return router


def _change(unit: UnitOfWork, user_id: str, columns: Mapping[str, Any], actor: str) -> None:
    """Store new values by column; a quota below what the user holds releases the oldest."""
    work = unit.lock(users=[user_id], actor=actor)
    require_existing(work.user(user_id))
    work.begin(f"api:{uuid7()}")
    work.ensure_exists(Aggregate.USER, user_id)
    if limits := {name: columns[name] for name in _QUOTA_COLUMNS if name in columns}:
        quota = work.user(user_id).quota._replace(**limits)
        work.set_quota(user_id, quota)
        # An older event on its way must not replace it.
        work.advance((Concern.QUOTA,), Aggregate.USER, user_id, Stamp(work.now))
        release_surplus_devices(work, user_id, quota.max_devices)
    unit.add_write(lambda: _update_contact(unit.cursor, user_id, columns))


def _update_contact(cursor: Cursor, user_id: str, columns: Mapping[str, Any]) -> None:
    changed = [name for name in _CONTACT_COLUMNS if name in columns]
    if changed:
        statement = _UPDATE_CONTACT.format(assignments=", ".join(f"{n} = %s" for n in changed))
        cursor.execute(statement, (*(columns[name] for name in changed), user_id))
