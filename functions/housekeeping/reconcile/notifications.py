"""A notification has a delivery for each channel of its kind."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from housekeeping.allocations import lock_free_users
from housekeeping.reconcile.findings import Finding, report
from housekeeping.search import CHUNK
from scheduler.database.retry import run_again_when_overtaken
from scheduler.domain.notices import Channel, NoticeKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from housekeeping.tools import Tools
    from scheduler.observability.emf import Metrics

_LOOK_BACK: Final = timedelta(hours=1)
"""Much longer than a minute, so that a pause of housekeeping hides none."""

# Where the user chose channels, he may have chosen none, unless it is urgent.
_BARE: Final = """
    SELECT n.id, n.user_id, n.dedupe_key
    FROM notifications n {index}
    JOIN users u ON u.id = n.user_id
    LEFT JOIN notification_preferences p ON p.user_id = n.user_id
    LEFT JOIN notification_deliveries d ON d.notification_id = n.id
    WHERE {which} AND d.id IS NULL AND u.status <> 'deleted'
        AND (n.urgent OR p.user_id IS NULL OR JSON_LENGTH(p.channels) = 0)
"""
_RECENT: Final = f"""
    {_BARE.format(index="FORCE INDEX (due_purge)", which="n.created_at >= %s")}
    ORDER BY n.created_at LIMIT %s
"""
_AGAIN: Final = _BARE.format(index="", which="n.id IN %s AND n.user_id IN %s")
_DELIVERIES: Final = """
    INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at)
    VALUES (%s, %s, %s)
"""
_KINDS: Final = {kind.key: kind for kind in NoticeKind}


def reconcile_notifications(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Give the notifications of the last hour the deliveries they lack, due at once."""
    since = tools.clock() - _LOOK_BACK
    with tools.database.transaction() as cursor:
        cursor.execute(_RECENT, (since, CHUNK))
        suspects = cursor.fetchall()
    completed = run_again_when_overtaken(lambda: _complete(tools, suspects)) if suspects else []
    finding = Finding.NOTIFICATION_WITHOUT_DELIVERIES
    report(finding, completed, "made its deliveries, due now", metrics)
    if completed:
        tools.nudge()
    yield len(completed)


def _complete(tools: Tools, suspects: Sequence[tuple[str, str, str]]) -> list[str]:
    with tools.database.transaction() as cursor:
        users = lock_free_users(cursor, {user_id for _, user_id, _ in suspects})
        if not users:
            return []
        cursor.execute(_AGAIN, (tuple(id_ for id_, _, _ in suspects), tuple(users)))
        bare = {id_: dedupe_key for id_, _, dedupe_key in cursor.fetchall()}
        due = tools.clock()
        rows = [(id_, c, due) for id_, key in bare.items() for c in _channels(key)]
        if rows:
            cursor.executemany(_DELIVERIES, rows)
    return list(bare)


def _channels(dedupe_key: str) -> Sequence[Channel]:
    """Return the channels of a notification's kind, which its key begins with."""
    kind = _KINDS.get(dedupe_key.partition(":")[0])
    return kind.channels if kind else (Channel.WEBSOCKET,)
