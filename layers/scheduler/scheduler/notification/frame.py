"""What a client receives over its WebSocket."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def frame(
    *, id_: str, type_: str, title: str, message: str, data: str, created_at: datetime
) -> bytes:
    """Return the frame of a notification as UTF-8 JSON; ``data`` is JSON as stored.

    Args:
        id_: the notification's id, by which a client recognises a frame it has seen.
        type_: the notification's type, e.g. ``device_released``.
        title: in the user's language, like ``message``.
        message: the sentence.
        data: what the sentence was made of.
        created_at: in UTC; one without zone, as the database gives it, is UTC too.
    """
    created = created_at if created_at.tzinfo else created_at.replace(tzinfo=UTC)
    fields = {
        "type": type_,
        "id": id_,
        "title": title,
        "message": message,
        "data": json.loads(data),
        "createdAt": created.isoformat(),
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
