"""Which deliveries are above the hourly limit, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.outbox.delivery import DeliveryOutcome
from scheduler.outbox.hourly_limit import Usage, hold_back
from tests.support.deliveries import delivery
from tests.support.world import MINUTE, NOW

if TYPE_CHECKING:
    from scheduler.outbox.delivery import Delivery

LIMIT = 2
HOUR = 60 * MINUTE
USER_KIND = ("u1", "billing_alert.overdue")


def overdue(id_: int, stands_for: int = 1) -> Delivery:
    return delivery(id=id_, kind=USER_KIND[1], stands_for=stands_for)


def test_excess_is_due_an_hour_after_the_first_message_of_the_hour() -> None:
    usage = {USER_KIND: Usage(LIMIT, NOW - 20 * MINUTE)}

    (held,) = hold_back([overdue(1)], usage, LIMIT, NOW)

    assert (held.outcome, held.due_at) == (DeliveryOutcome.POSTPONED, NOW + 40 * MINUTE)
    assert held.digest_id == 1


def test_excess_of_one_claim_is_due_in_an_hour() -> None:
    first, *others = hold_back([overdue(n) for n in range(5)], {}, LIMIT, NOW)

    assert (first.delivery.id, first.due_at) == (LIMIT, NOW + HOUR)
    assert [(one.outcome, one.digest_id) for one in others] == [
        (DeliveryOutcome.SKIPPED, first.delivery.id)
    ] * 2


def test_what_another_dispatcher_is_sending_delays_the_excess_for_a_minute() -> None:
    (held,) = hold_back([overdue(1)], {USER_KIND: Usage(LIMIT)}, LIMIT, NOW)

    assert held.due_at == NOW + MINUTE


def test_digest_is_sent_before_what_has_come_since() -> None:
    claimed = [overdue(3, stands_for=2), overdue(4), overdue(5)]

    (held,) = hold_back(claimed, {}, LIMIT, NOW)

    assert held.delivery.id == 5


def test_digest_does_not_join_another_which_would_not_count_its_messages() -> None:
    usage = {USER_KIND: Usage(LIMIT, NOW, digest_id=9)}

    digest, single = hold_back([overdue(3, stands_for=2), overdue(4)], usage, LIMIT, NOW)

    assert (digest.outcome, digest.digest_id) == (DeliveryOutcome.POSTPONED, 3)
    assert (single.outcome, single.digest_id) == (DeliveryOutcome.SKIPPED, 3)
