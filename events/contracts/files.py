"""The generated files of the folder contracts/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from events.contracts import asyncapi
from events.contracts.documented import documented_events
from events.contracts.http_requests import http_requests
from events.contracts.page import page
from events.contracts.produced import EXAMPLES, PRODUCED
from events.contracts.schemas import schema_of
from events.contracts.typescript import declarations

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path("contracts")
ASYNCAPI: Final = FOLDER / "asyncapi.json"
PAGE: Final = FOLDER / "events.html"


def contract_files() -> Iterator[tuple[Path, str]]:
    """Yield the path of each file, relative to the repository, and its content."""
    consumed, produced = schemas()
    document = asyncapi.document()
    yield ASYNCAPI, _pretty(document)
    yield PAGE, page(document)
    for event_type, schema in {**consumed, **produced}.items():
        yield FOLDER / "schemas" / f"{event_type}.json", _pretty(schema)
    yield FOLDER / "api.http", http_requests()
    yield FOLDER / "typescript" / "events.d.ts", declarations(consumed, produced)


def schemas() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schemas by event type: of the events that are consumed, and of those published."""
    consumed = {
        one.type: schema_of(one.contract, one.type, [one.smallest, one.fullest])
        for one in documented_events()
    }
    produced = {
        one.event_type: schema_of(one, one.event_type, [EXAMPLES[one.event_type]])
        for one in PRODUCED
    }
    return consumed, produced


def _pretty(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
