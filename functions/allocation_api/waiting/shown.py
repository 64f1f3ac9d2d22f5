"""Places as they are shown: with where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocation_api.waiting.models import WaitingPlace
from scheduler.database.waiting import positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymysql.cursors import Cursor

    from scheduler.domain.waiting import WaitingEntry


def shown(cursor: Cursor, places: Sequence[WaitingEntry]) -> list[WaitingPlace]:
    """Return places as their user sees them."""
    where = positions(cursor, places)
    return [_shown(place, where.get(place.id)) for place in places]


def _shown(place: WaitingEntry, position: int | None) -> WaitingPlace:
    return WaitingPlace(
        id=place.id,
        user_id=place.user_id,
        status=place.status,
        position=position,
        priority=place.priority,
        duration_minutes=place.minutes,
        min_cpu_cores=place.requirements.cpu_cores,
        min_memory_mb=place.requirements.memory_mb,
        created_at=place.created_at,
        expires_at=place.expires_at,
        ended_at=place.ended_at,
        allocation_id=place.allocation_id,
    )
