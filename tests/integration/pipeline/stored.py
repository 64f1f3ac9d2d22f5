"""Applies bodies of other publishers, and reads what they stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.events import message

if TYPE_CHECKING:
    from tests.support.functions import Functions
    from tests.support.store import Store


def apply(functions: Functions, event_type: str, raw: bytes, **about: Any) -> None:  # noqa: ANN401 - as `message`
    """Apply the event in a body; `about` goes to `message`."""
    assert functions.handle(message(event_type, body=raw, **about)) == {"success": 1}


def row(store: Store, table: str, id_: str) -> dict[str, Any]:
    """Return a row by its column names."""
    ((found,),) = [store.rows(f"SELECT * FROM {table} WHERE id = %s", id_)]  # noqa: S608 - our own tables
    return dict(found._asdict())


def released(store: Store) -> list[str]:
    """Return the devices that were taken back."""
    return [one.device_id for one in store.state()["allocations"] if one.status == "RELEASED"]


def reasons(store: Store) -> list[str]:
    """Return the stored reasons of releases."""
    return [one.release_reason for one in store.state()["allocations"] if one.release_reason]
