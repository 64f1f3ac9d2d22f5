"""What users switch off and on, and what reaches them all the same."""

import pytest

from scheduler.domain.notices import Channel, NoticeKind
from scheduler.notification.preferences import channels

CRITICAL = {NoticeKind.ACCOUNT_SUSPENDED, NoticeKind.OVERDUE, NoticeKind.SERVICE_SUSPENDED}
NOTHING = {kind.type: dict.fromkeys(map(str, Channel), False) for kind in NoticeKind}


@pytest.mark.parametrize("kind", NoticeKind)
def test_without_choices_the_contract_decides(kind: NoticeKind) -> None:
    assert channels(kind, {}) == kind.channels


@pytest.mark.parametrize("kind", NoticeKind)
def test_only_what_is_critical_for_the_account_survives_being_switched_off(
    kind: NoticeKind,
) -> None:
    assert channels(kind, NOTHING) == (kind.channels if kind in CRITICAL else ())


def test_a_channel_can_be_added() -> None:
    choices = {"device_released": {"email": True}}

    assert channels(NoticeKind.DEVICE_RELEASED, choices) == (Channel.WEBSOCKET, Channel.EMAIL)


def test_choices_of_one_type_leave_the_others_alone() -> None:
    choices = {"billing_alert": {"email": False}}

    assert channels(NoticeKind.BALANCE_LOW, choices) == (Channel.WEBSOCKET,)
    assert channels(NoticeKind.QUOTA_UPDATED, choices) == NoticeKind.QUOTA_UPDATED.channels


def test_an_overdue_account_is_told_by_all_channels_though_billing_alerts_are_off() -> None:
    choices = {"billing_alert": dict.fromkeys(map(str, Channel), False)}

    assert channels(NoticeKind.OVERDUE, choices) == tuple(Channel)
