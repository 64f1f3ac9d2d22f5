"""Malformed requests of a program that knows the token: refused with the reason, and no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.together import eventually

if TYPE_CHECKING:
    import httpx

    from tests.integration.console.recorder import Recorder

BEGIN: Final = {
    "verb": "replay",
    "selection": {"queues": ["device.failed"], "cause": "*"},
    "until": "2026-11-27T00:00Z",
    "expected": 2,
}
FORM: Final = {"eventType": "device.failed", "fields": {"deviceId": "d1", "reason": "x"}}
BODIES: Final[dict[str, Any]] = {
    "/console/publish": FORM,
    "/console/letters/begin": BEGIN,
    "/console/operations/overview": {},
    "/console/operations/dead-letters.list": {"depth": 2, "fresh": True},
    "/console/operations/dead-letters.show": {},
    "/console/operations/users": {},
}
"""A good body of each kind of route that reads one."""
NO_JSON: Final = {
    b"{": "not JSON",
    b"\xff": "not JSON",
    b'{"a": 1}, {"b": 2}': "not JSON",
    b"[" * 100_000: "not JSON",
    b"1" * 5000: "not JSON",
    b'{"depth": NaN}': "NaN is not a JSON number",
    **dict.fromkeys((b"[]", b"null", b"1", b'"x"'), "must be a JSON object"),
}
NO_TEXT: Final[tuple[object, ...]] = (None, True, 0, [], {})
NO_NUMBER: Final[tuple[object, ...]] = (-1, 1.5, "x", [], {})
NO_OBJECT: Final[tuple[object, ...]] = (None, True, 0, "x", [])
WRONG: Final[dict[tuple[str, str], tuple[object, ...]]] = {
    ("/console/publish", "eventType"): ("no.event", "\ud800", *NO_TEXT),
    ("/console/publish", "fields"): (*NO_OBJECT, *({"deviceId": one} for one in NO_TEXT)),
    ("/console/letters/begin", "verb"): ("edit", *NO_TEXT),
    ("/console/letters/begin", "selection"): ({"remove": ["f"]}, {"queues": 1}, *NO_OBJECT),
    ("/console/letters/begin", "until"): ("x", "0001-01-01T00:00:00+14:00", *NO_TEXT),
    ("/console/letters/begin", "expected"): (None, *NO_NUMBER),
    ("/console/operations/dead-letters.list", "depth"): NO_NUMBER,
    ("/console/operations/dead-letters.list", "fresh"): (None, "x", []),
    **{(path, "extra"): (1,) for path in list(BODIES)[:2]},
}


@pytest.mark.parametrize("path", BODIES)
def test_body_that_is_not_a_json_object_is_refused(
    program: httpx.Client, operations: Recorder, path: str
) -> None:
    for raw, why in NO_JSON.items():
        refused = program.post(path, content=raw)

        assert refused.status_code == 422
        assert why in refused.json()["error"]
    assert operations.calls == []


@pytest.mark.parametrize(("path", "name"), WRONG)
def test_wrong_value_is_named_and_nothing_is_done(
    program: httpx.Client, operations: Recorder, path: str, name: str
) -> None:
    for value in WRONG[path, name]:
        refused = program.post(path, content=json.dumps(BODIES[path] | {name: value}))

        assert refused.status_code == 422, value
        error = refused.json()["error"]
        assert name in error or "unknown event" in error
    assert operations.calls == []


@pytest.mark.parametrize("path", list(BODIES)[:2])
def test_missing_value_is_named(program: httpx.Client, operations: Recorder, path: str) -> None:
    for name in BODIES[path]:
        refused = program.post(
            path, json={key: value for key, value in BODIES[path].items() if key != name}
        )

        assert refused.status_code == 422
        assert name in refused.json()["error"]
    assert operations.calls == []


def test_page_works_on_after_malformed_requests(
    program: httpx.Client, operations: Recorder
) -> None:
    """Work that could not begin is not under way, and a wrong depth is not remembered."""
    replayed = {"replayed": 2, "total": 2, "refused": [], "held": 0}
    operations.answers["dead-letters.replay"] = [replayed]
    for path, name in (
        ("/console/letters/begin", "selection"),
        ("/console/operations/dead-letters.list", "depth"),
    ):
        assert program.post(path, json=BODIES[path] | {name: "x"}).status_code == 422

    assert program.post("/console/operations/overview", json={}).status_code == 200
    assert program.post("/console/letters/begin", json=BEGIN).status_code == 200
    eventually(lambda: program.get("/console/letters").json()["endedAt"], "the end of the work")
    assert program.get("/console/letters").json()["done"] == 2
