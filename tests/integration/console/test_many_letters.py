"""Many letters are replayed and discarded in several calls, which the operator can stop."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect

from ops.console.letters import LIST
from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.integration.console.conftest import LETTERS
from tests.integration.console.deployment import Deployment, served
from tests.integration.console.looking import rows, serious, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.integration.ops.letters import Broker

PAGE: Final = 10
"""Letters in a call."""
FREE: Final = 2
"""After so many calls that change letters, the next one waits for the test."""


@dataclass
class Gated:
    """Operations of which each call has no time for more than a few letters."""

    operations: Deployment
    place: str = "test"
    changes: int = 0
    read_at: list[str] = field(default_factory=list)
    until: str = ""
    gate: threading.Event = field(default_factory=threading.Event)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if operation == "dead-letters.replay" or arguments.get("remove"):
            if self.changes == FREE:
                assert self.gate.wait(60)
            self.changes += 1
        self.until = arguments.get("until", self.until)
        found = self.operations.call(operation, arguments)
        if operation == LIST:
            self.read_at.append(found["at"])
        return found


@pytest.fixture
def gated(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Gated:
    monkeypatch.setattr("operations.context.CALL_SECONDS", 0.0)
    for name in (
        *("calls.SMALL_BLOCK", "calls.COPIED_BLOCK"),
        *("discarding.COPIED_BLOCK", "discarding.MAX_COPIES"),
    ):
        monkeypatch.setattr(f"operations.dead_letters.{name}", PAGE)
    monkeypatch.setattr("ops.long_queue.MAX_REMOVED", PAGE)
    return Gated(deployment)


@pytest.fixture
def url(gated: Gated, tmp_path: Path) -> Iterator[str]:
    with served(gated, tmp_path) as found:
        yield found
        gated.gate.set()


def begin(page: Page, verb: str) -> None:
    rows(page, "Dead letters by group").get_by_role("button", name=verb).click()
    page.get_by_role("dialog").get_by_role("button", name=verb).click()


def result(page: Page) -> Locator:
    return page.locator("[data-panel=groups-title] output")


def test_discard_in_several_calls_is_stopped_and_finished_later(
    page: Page, much: Broker, gated: Gated, tmp_path: Path
) -> None:
    show(page, "letters")
    begin(page, "Discard")
    expect(page.locator("#work")).to_have_text("Discarding: 50 of 50 copied, 20 discarded")
    assert gated.until in gated.read_at  # letters that have failed since were not seen
    assert serious(page) == []

    page.reload()  # the work does not need the page
    show(page, "letters")
    expect(page.locator("#work")).to_contain_text("20 discarded")
    page.get_by_role("button", name="Stop: Discard").click()
    gated.gate.set()

    expect(result(page)).to_contain_text(
        "Stopped: discarded 30 of 50; the others are still dead letters. 50 copies are in /"
    )
    assert much.depth(DEAD_LETTER_QUEUE) == 20
    (file,) = tmp_path.glob("dead-letters-*.jsonl")
    assert len(file.read_text("utf-8").splitlines()) == LETTERS

    expect(rows(page, "Dead letters by group").locator("td").nth(2)).to_have_text("20")
    begin(page, "Discard")
    expect(result(page)).to_contain_text("Discarded 20; the copies are in /")
    assert much.depth(DEAD_LETTER_QUEUE) == 0


def test_discard_that_is_stopped_before_its_first_call_names_no_file(page: Page) -> None:
    work = {"verb": "discard", "state": "stopped", "expected": 50, "done": 0, "copied": 0}
    work |= {"endedAt": "2026-11-27T12:00:00Z", "file": None, "notNoted": "", "error": ""}
    page.route("**/console/letters", lambda route: route.fulfill(json=work))

    show(page, "letters")

    expect(result(page)).to_contain_text("Stopped: nothing was copied or discarded.")


def test_replay_in_several_calls_is_stopped_and_finished_later(
    page: Page, much: Broker, gated: Gated
) -> None:
    show(page, "letters")
    begin(page, "Replay")
    expect(page.locator("#work")).to_have_text("Replaying: 20 of 50")

    page.get_by_role("button", name="Stop: Replay").click()
    gated.gate.set()

    text = "Stopped: replayed 30 of 50; the others are still dead letters."
    expect(result(page)).to_contain_text(text)
    assert much.depth("scheduler.device-failed") == 30
    assert much.depth(DEAD_LETTER_QUEUE) == 20
    expect(rows(page, "Dead letters by group").locator("td").nth(2)).to_have_text("20")
    begin(page, "Replay")
    expect(result(page)).to_contain_text("Replayed 20 of 20.")
    assert much.depth("scheduler.device-failed") == LETTERS
