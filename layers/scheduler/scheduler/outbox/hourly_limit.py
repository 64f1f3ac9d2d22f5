"""Limits the e-mails and SMS of a kind that a user gets in an hour; the rest is one digest.

The first delivery above the limit becomes the digest and waits until the hour allows another
message. Those after it are skipped and stored with its id. When it is sent, it says how many
notifications it stands for and shows the newest of them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from scheduler.domain.model import DEFAULT_LOCALE
from scheduler.notification.catalogue import digest_text
from scheduler.outbox.delivery import (
    IN_DIGEST,
    OVER_LIMIT,
    Delivery,
    DeliveryOutcome,
    DeliveryResult,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.domain.notices import Channel

PERIOD: Final = timedelta(hours=1)

_MAX_AGE: Final = timedelta(hours=25)
"""Deliveries are sent within a day; older rows of the index need not be read."""
_MARGIN: Final = timedelta(minutes=2)
"""A digest that is due sooner may be sent before another delivery is stored with its id."""
_SHORT_DELAY: Final = timedelta(minutes=1)
"""Until the other dispatcher that is sending to the user has recorded its results."""

# What other dispatchers have claimed counts as sent, so that together they keep to the limit.
_USAGE: Final = """
    SELECT user_id, kind,
        SUM(status = 'sent') + SUM(status = 'pending' AND COALESCE(claimed_until > %s, FALSE)
            AND id NOT IN %s),
        MIN(IF(status = 'sent', sent_at, NULL)),
        MAX(IF(status = 'pending' AND digest_id = id AND next_attempt_at > %s
            AND (claimed_until IS NULL OR claimed_until <= %s), id, NULL))
    FROM notification_deliveries FORCE INDEX (by_user)
    WHERE status IN ('sent', 'pending') AND channel = %s AND user_id IN %s
        AND next_attempt_at > %s AND kind <> '' AND (status = 'pending' OR sent_at > %s)
    GROUP BY user_id, kind
"""

UserKind: TypeAlias = tuple[str, str]
"""The id of a user and the key of a `NoticeKind`."""


class Usage(NamedTuple):
    """What a user is or was sent of a kind in the last hour, and the digest that waits."""

    sent: int = 0
    oldest_sent_at: datetime | None = None
    digest_id: int | None = None


def load_usage(
    cursor: Cursor, channel: Channel, claimed: Sequence[Delivery], now: datetime
) -> dict[UserKind, Usage]:
    """Return the usage of the users of claimed deliveries, without counting these deliveries."""
    users = tuple({one.recipient.user_id for one in claimed})
    ids = tuple(one.id for one in claimed)
    times = (now - _MAX_AGE, now - PERIOD)
    cursor.execute(_USAGE, (now, ids, now + _MARGIN, now, channel, users, *times))
    return {
        (user_id, kind): Usage(int(sent), oldest_sent_at, digest_id)
        for user_id, kind, sent, oldest_sent_at, digest_id in cursor.fetchall()
    }


def hold_back(
    claimed: Iterable[Delivery], usage: Mapping[UserKind, Usage], limit: int, now: datetime
) -> Iterator[DeliveryResult]:
    """Yield the results of those deliveries that are above the limit.

    Args:
        claimed: deliveries that could be sent now; those without a kind are not limited.
        usage: what was sent before.
        limit: how many messages of a kind a user is sent in an hour.
        now: the current time.
    """
    groups: defaultdict[UserKind, list[Delivery]] = defaultdict(list)
    for one in claimed:
        if one.kind:
            groups[one.recipient.user_id, one.kind].append(one)
    for key, group in groups.items():
        used = usage.get(key, Usage())
        first_digests = sorted(group, key=lambda one: (one.stands_for == 1, one.id))
        excess = first_digests[max(0, limit - used.sent) :]
        yield from _into_digest(excess, used, now)


def _into_digest(
    excess: Iterable[Delivery], used: Usage, now: datetime
) -> Iterator[DeliveryResult]:
    if used.sent and not used.oldest_sent_at:
        due_at = now + _SHORT_DELAY
    else:
        due_at = (used.oldest_sent_at or now) + PERIOD
    digest_id = used.digest_id
    for one in excess:
        if digest_id is None or one.stands_for > 1:
            digest_id = one.id
            yield DeliveryResult(
                one, DeliveryOutcome.POSTPONED, OVER_LIMIT, due_at=due_at, digest_id=one.id
            )
        else:
            yield DeliveryResult(one, DeliveryOutcome.SKIPPED, IN_DIGEST, digest_id=digest_id)


def as_message(delivery: Delivery) -> Delivery:
    """Return a delivery with the text that is sent: that of a digest if it stands for several."""
    if delivery.stands_for == 1:
        return delivery
    text = digest_text(
        delivery.recipient.locale or DEFAULT_LOCALE,
        title=delivery.title,
        message=delivery.message,
        count=delivery.stands_for,
    )
    return replace(delivery, title=text.title, message=text.message)
