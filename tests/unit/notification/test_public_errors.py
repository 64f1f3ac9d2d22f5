"""What users see of the reason why a delivery was not sent."""

from __future__ import annotations

import pytest

from scheduler.outbox import delivery
from scheduler.outbox.delivery import public_error


@pytest.mark.parametrize(
    ("detail", "code"),
    [
        (delivery.NO_EMAIL_ADDRESS, "no_address"),
        (delivery.NO_PHONE_NUMBER, "no_address"),
        (delivery.INVALID_PHONE_NUMBER, "invalid_address"),
        (delivery.NOT_CONNECTED, "not_connected"),
        (delivery.QUIET_HOURS, "quiet_hours"),
        (delivery.TOO_OLD, "too_old"),
        (delivery.SUPERSEDED, "superseded"),
        (delivery.OVER_LIMIT, "hourly_limit"),
        (delivery.IN_DIGEST, "in_digest"),
        (None, None),
    ],
)
def test_reason_set_by_the_dispatcher_has_a_code(detail: str | None, code: str | None) -> None:
    assert public_error(detail) == code


def test_answer_of_a_provider_is_not_shown() -> None:
    assert public_error("MessageRejected: our account is in the sandbox") == "not_accepted"
