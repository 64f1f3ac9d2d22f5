"""Deliveries that are due but not to be sent now."""

from dataclasses import replace
from datetime import time, timedelta

import pytest

from scheduler.domain.notices import Channel
from scheduler.notification.quiet_hours import QuietHours
from scheduler.outbox.delivery import Fate
from scheduler.outbox.hold import hold
from tests.support.deliveries import REACHABLE, delivery
from tests.support.world import NOW, SECOND

RESTING = replace(REACHABLE, quiet_hours=QuietHours(time(11), time(13), "UTC"))


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
def test_mail_and_sms_wait_until_quiet_hours_end(channel: Channel) -> None:
    held = hold(delivery(channel, recipient=RESTING), NOW)

    assert held
    assert (held.fate, held.due_at) == (Fate.POSTPONED, NOW + timedelta(hours=1))


def test_the_websocket_disturbs_nobody() -> None:
    assert hold(delivery(Channel.WEBSOCKET, recipient=RESTING), NOW) is None


@pytest.mark.parametrize("channel", Channel)
def test_what_is_critical_for_the_account_is_sent_at_any_hour(channel: Channel) -> None:
    assert hold(delivery(channel, recipient=RESTING, urgent=True), NOW) is None


def test_outside_of_quiet_hours_nothing_waits() -> None:
    assert hold(delivery(recipient=RESTING), NOW + timedelta(hours=1)) is None


def test_what_could_not_be_sent_for_a_day_is_given_up() -> None:
    held = hold(delivery(created_at=NOW - timedelta(days=1) - SECOND), NOW)

    assert held
    assert (held.fate, held.detail) == (Fate.FAILED, "not sent within a day")
