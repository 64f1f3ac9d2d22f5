"""Notices: what they are about, and the channels that reach users wherever they are."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.domain.notices import Channel, Notice, NoticeKind
from tests.support.world import held


@pytest.mark.parametrize(
    ("params", "allocation_id"),
    [
        ({"allocation": held("d1")}, "allocation-of-d1"),
        ({}, None),
        ({"allocation": [held("d1"), held("d2")]}, None),
    ],
)
def test_notice_names_its_allocation_if_it_is_about_a_single_one(
    params: dict[str, Any], allocation_id: str | None
) -> None:
    notice = Notice("u1", NoticeKind.DEVICE_RELEASED, "key", params)

    assert notice.allocation_id == allocation_id


def test_e_mail_and_sms_reach_users_who_have_not_opened_the_product() -> None:
    assert {channel for channel in Channel if channel.intrusive} == {Channel.EMAIL, Channel.SMS}


def test_only_the_end_of_the_service_ignores_the_choices_of_the_user() -> None:
    assert {kind for kind in NoticeKind if kind.account_critical} == {
        NoticeKind.ACCOUNT_SUSPENDED,
        NoticeKind.OVERDUE,
        NoticeKind.SERVICE_SUSPENDED,
    }
