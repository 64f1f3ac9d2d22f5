"""The forms that publish events: their fields, with the values of the contract's example."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import ops
from operations.event_bodies import CONTRACTS, fields, fill_in, to_bytes, validate

DOCUMENT: Final = Path(ops.__file__).parent.parent / "contracts" / "asyncapi.json"


@cache
def event_forms() -> list[dict[str, Any]]:
    """Return a form for each event."""
    messages = json.loads(DOCUMENT.read_text("utf-8"))["components"]["messages"]
    forms = []
    for event_type in CONTRACTS:
        message = messages[event_type]
        example = message["examples"][0]["payload"]
        listed = [
            {
                "path": field.path,
                "required": field.required,
                "choices": field.choices,
                "value": _value_at(example, field.path),
            }
            for field in fields(event_type)
        ]
        meaning = " ".join(filter(None, (message["summary"], message.get("description"))))
        forms.append(
            {"eventType": event_type, "meaning": meaning.replace("`", ""), "fields": listed}
        )
    return forms


def filled_in(event_type: str, values: dict[str, str]) -> bytes:
    """Return the body of a submitted form; empty fields are left out.

    Raises:
        InvalidInputError: the consuming function would not accept the body.
    """
    now = datetime.now(UTC)
    body: dict[str, Any] = {"timestamp": now.isoformat()}
    fill_in(body, event_type, {path: value for path, value in values.items() if value})
    raw = to_bytes(body)
    validate(event_type, raw, now)
    return raw


def _value_at(body: Any, path: str) -> Any:  # noqa: ANN401 - any JSON
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body
