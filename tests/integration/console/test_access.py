"""The console's server: who may call it, and what each call may do."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.datastructures import Headers

from operations.errors import InvalidInputError, OpsError
from operations.event_bodies import CONTRACTS
from ops.console.access import TOKEN_HEADER, is_own
from ops.console.forms import event_forms
from ops.console.letters import LIST, MAX_AGE_SECONDS, MAX_WAIT_SECONDS, LetterGroups
from tests.integration.console.deployment import TOKEN, served
from tests.integration.console.recorder import Recorder
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HOST = "127.0.0.1:30004"
ORIGIN = f"http://{HOST}"
CHANGES = (
    *("/console/publish", "/console/operations/overview"),
    *("/console/letters/begin", "/console/letters/stop"),
)


def test_page_loads_nothing_from_other_hosts_and_has_no_inline_script(
    program: httpx.Client,
) -> None:
    response = program.get("/", headers={TOKEN_HEADER: ""})

    policy = response.headers["content-security-policy"]
    assert response.status_code == 200
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "//" not in response.text.replace("http://www.w3.org/2000/svg", "")
    assert program.get("/page/main.js").headers["content-type"].startswith("text/javascript")
    assert TOKEN not in response.text


@pytest.mark.parametrize("token", ["", "another"])
def test_request_without_the_token_of_the_address_is_refused(
    program: httpx.Client, operations: Recorder, token: str
) -> None:
    for path in (
        *("/console/config", "/console/forms", "/console/letters"),
        *("/api/devices", "/page/../console/config"),
    ):
        assert program.get(path, headers={TOKEN_HEADER: token}).status_code == 401
    for path in CHANGES:
        assert program.post(path, headers={TOKEN_HEADER: token}, json={}).status_code == 401
    assert operations.calls == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": ORIGIN},
        {"origin": ORIGIN, "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"host": "localhost:30004", "origin": "http://localhost:30004"},
    ],
)
def test_console_page_and_programs_are_allowed(headers: dict[str, str]) -> None:
    assert is_own(Headers({"host": HOST, **headers}))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8080"},
        {"origin": "http://localhost:30004"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"host": "rebound.example:30004"},
        {"host": "rebound.example:30004", "origin": "http://rebound.example:30004"},
        {"host": ""},
    ],
)
def test_other_website_is_refused_even_with_the_token(
    program: httpx.Client, operations: Recorder, headers: dict[str, str]
) -> None:
    assert not is_own(Headers({"host": HOST, **headers}))
    assert program.get("/", headers=headers).status_code == 403
    assert program.get("/console/letters", headers=headers).status_code == 403
    for path in CHANGES:
        assert program.post(path, headers=headers, json={}).status_code == 403
    assert operations.calls == []


@pytest.mark.parametrize(
    ("error", "status"),
    [(InvalidInputError("no such queue"), 422), (OpsError("it is down"), 502)],
)
def test_operation_that_fails_says_why(
    program: httpx.Client, operations: Recorder, error: OpsError, status: int
) -> None:
    operations.answers["queues"] = [error]

    response = program.post("/console/operations/queues", json={"shards": 1})

    assert (response.status_code, response.json()) == (status, {"error": str(error)})
    assert operations.calls == [("queues", {"shards": 1})]


def test_every_event_has_a_form_with_initial_values() -> None:
    forms = event_forms()

    assert {form["eventType"] for form in forms} == set(CONTRACTS)
    for form in forms:
        assert all(one["value"] is not None for one in form["fields"] if one["required"]), form


@pytest.mark.parametrize("form", event_forms(), ids=lambda form: form["eventType"])
def test_form_with_its_initial_values_is_published(
    program: httpx.Client, operations: Recorder, form: dict[str, Any]
) -> None:
    values = {
        one["path"]: str("" if one["value"] is None else one["value"]) for one in form["fields"]
    }

    published = program.post(
        "/console/publish", json={"eventType": form["eventType"], "fields": values}
    )

    assert published.status_code == 200, published.text
    ((name, arguments),) = operations.calls
    assert (name, arguments["eventType"]) == ("publish", form["eventType"])
    assert arguments["ids"] == [published.json()["messageId"]]
    assert "" not in json.loads(base64.b64decode(arguments["body"])).values()


def test_error_names_the_invalid_field_of_a_form(
    program: httpx.Client, operations: Recorder
) -> None:
    form = {"eventType": "device.failed", "fields": {"deviceId": "d", "reason": ""}}

    response = program.post("/console/publish", json=form)

    assert response.status_code == 422
    assert "reason" in response.json()["error"]
    assert operations.calls == []


def test_events_of_a_stack_are_published_only_if_that_is_allowed(
    operations: Recorder, tmp_path: Path
) -> None:
    form = {"eventType": "device.failed", "fields": {"deviceId": "d", "reason": "x"}}
    with served(operations, tmp_path) as url:
        for path, body in (("publish", form), ("operations/publish", {})):
            refused = httpx.post(f"{url}/console/{path}", json=body, headers={TOKEN_HEADER: TOKEN})
            assert refused.status_code == 403

    assert operations.calls == []


def test_groups_that_take_long_are_those_read_before_until_they_are_read() -> None:
    go_on = threading.Event()

    class Slow(Recorder):
        def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
            found = super().call(operation, arguments)
            if len(self.calls) > 1:
                go_on.wait()
            return found

    answers = [{"total": n, "groups": []} for n in range(3)]  # three readings at most
    groups = LetterGroups(Slow({"dead-letters.list": answers}))

    first = groups.read(7)
    during = [groups.read(8), groups.read(8)]
    assert groups.whole_depth(3, time.monotonic()) == 8  # five of them are being read
    for _ in range(3):
        groups.read(8, fresh=True)
    go_on.set()

    assert (first["total"], first["reading"]) == (0, False)
    assert [(one["total"], one["reading"]) for one in during] == [(0, True)] * 2
    eventually(lambda: groups.read(8)["total"] == 2, "the new groups")
    assert groups.whole_depth(3, time.monotonic()) == 3


def test_letters_are_changed_only_when_they_are_not_being_read() -> None:
    go_on = threading.Event()

    class Slow(Recorder):
        def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
            if operation == LIST:
                go_on.wait()
            return super().call(operation, arguments)

    recorder = Slow()
    groups = LetterGroups(recorder)
    assert groups.read(7)["reading"]

    with ThreadPoolExecutor(1) as pool:
        change = pool.submit(groups.alone, lambda: recorder.call("dead-letters.edit", {}))
        early = wait([change], MAX_WAIT_SECONDS).done
        go_on.set()
    assert not early
    assert [name for name, _ in recorder.calls] == [LIST, "dead-letters.edit"]


def test_change_that_waits_too_long_for_others_is_not_made() -> None:
    groups = LetterGroups(Recorder())
    go_on = threading.Event()
    begun = threading.Event()

    def hold() -> None:
        begun.set()
        go_on.wait()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(groups.alone, hold)
        assert begun.wait(30)
        try:
            with pytest.raises(OpsError, match="try again"):
                groups.alone(lambda: pytest.fail("it was made"), patience=0.0)
        finally:
            go_on.set()

    assert groups.alone(lambda: "made") == "made"


def test_process_ends_while_letters_are_read() -> None:
    """Otherwise Ctrl-C would wait for the readings, and they for a replay of any length."""
    program = """
import threading
from ops.console.letters import LetterGroups
class Stuck:
    call = staticmethod(lambda *_: threading.Event().wait())
assert LetterGroups(Stuck()).read(7)["reading"]
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_groups_that_cannot_be_read_are_read_by_the_next_caller() -> None:
    groups = LetterGroups(Recorder({"dead-letters.list": [OpsError("away"), {"total": 1}]}))

    with pytest.raises(OpsError, match="away"):
        groups.read(7)

    assert groups.read(7)["total"] == 1


def test_groups_are_read_once_for_all_tabs_until_they_are_old_or_changed() -> None:
    now = 0.0
    recorder = Recorder({"dead-letters.list": [{"total": n} for n in range(5)]})
    groups = LetterGroups(recorder, lambda: now)

    seen = [groups.read(7)["total"], groups.read(7)["total"]]
    seen.append(groups.read(7, fresh=True)["total"])
    seen.append(groups.read(8)["total"])
    now = MAX_AGE_SECONDS
    seen.append(groups.read(8)["total"])

    assert seen == [0, 0, 1, 2, 3]
