"""Which channels a notification takes: the contract's, as its user changed them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from scheduler.domain.notices import Channel

if TYPE_CHECKING:
    from scheduler.domain.notices import NoticeKind

ChannelChoices: TypeAlias = Mapping[str, Mapping[str, bool]]
"""By notification type and channel: on or off; what is absent is as the contract says."""


def channels(kind: NoticeKind, choices: ChannelChoices) -> tuple[Channel, ...]:
    """Return the channels of a notification; no choice silences an account-critical one."""
    chosen = choices.get(kind.type, {})
    return tuple(
        channel
        for channel in Channel
        if chosen.get(channel, channel in kind.channels)
        or (kind.account_critical and channel in kind.channels)
    )
