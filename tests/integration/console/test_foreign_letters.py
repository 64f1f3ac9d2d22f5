"""Letters that come from no work queue: the console asks for one, or discards them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.topology import DEAD_LETTER_EXCHANGE, DEAD_LETTER_QUEUE
from tests.integration.console.looking import rows, serious, show
from tests.integration.ops.letters import Broker

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

BODY = json.dumps({"deviceId": "d1", "reason": "It is dark"}).encode()


@pytest.fixture
def broker(broker_url: str) -> Broker:
    """A broker with a letter of another program."""
    found = Broker(broker_url)
    about = {"message_id": "m-1", "headers": {"x-source-queue": "their.queue"}}
    found.publish(OutboundMessage(DEAD_LETTER_EXCHANGE, "scheduler.x.failed", BODY, about))
    return found


def test_group_is_replayed_to_the_queue_that_the_operator_chooses(
    page: Page, broker: Broker
) -> None:
    show(page, "letters")
    group = rows(page, "Dead letters by group")
    expect(group).to_contain_text("not a work queue")
    group.get_by_role("button", name="Replay").focus()
    page.keyboard.press("Enter")
    question = page.get_by_role("dialog", name="Replay this group of 1 to which queue?")
    expect(question).to_contain_text("their.queue is not a work queue")
    expect(question.get_by_role("option")).to_have_count(15)
    assert serious(page) == []
    page.keyboard.press("Escape")
    expect(question).to_have_count(0)
    expect(group.get_by_role("button", name="Replay")).to_be_focused()

    page.keyboard.press("Enter")
    question.get_by_label("Queue").select_option("scheduler.device-failed")
    question.get_by_role("button", name="Continue").click()
    confirm = page.get_by_role("dialog", name="Replay this group of 1?")
    expect(confirm).to_contain_text("their.queue → device-failed")
    confirm.get_by_role("button", name="Replay").click()

    result = page.locator("[data-panel=groups-title] output")
    expect(result).to_contain_text("Replayed 1 of 1")
    assert broker.ids("scheduler.device-failed") == ["m-1"]


def test_group_is_discarded(page: Page, broker: Broker) -> None:
    show(page, "letters")
    group = rows(page, "Dead letters by group")
    group.get_by_role("link").click()
    expect(page.get_by_role("button", name="Edit: m-1")).to_be_disabled()
    group.get_by_role("button", name="Discard").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()

    expect(page.locator("[data-panel=groups-title] output")).to_contain_text("Discarded 1;")
    expect(group).to_contain_text("No dead letters")
    assert broker.depth(DEAD_LETTER_QUEUE) == 0


def test_letters_that_are_still_being_read_are_asked_for_again(page: Page, broker: Broker) -> None:
    """The number of letters stays the same: it was counted while they were out of the queue."""
    earlier: list[dict[str, object]] = []

    def as_counted_before(route: Route) -> None:
        overview = route.fetch().json()
        overview["broker"]["queues"][DEAD_LETTER_QUEUE]["ready"] = 1
        route.fulfill(json=overview)

    def as_read_before(route: Route) -> None:
        answer = route.fetch().json()
        changed = json.loads(route.request.post_data or "{}").get("fresh")
        earlier.append(answer)
        route.fulfill(json=earlier[0] | {"reading": True} if changed else answer)

    page.route("**/operations/overview", as_counted_before)
    page.route("**/operations/dead-letters.list", as_read_before)
    show(page, "letters")
    group = rows(page, "Dead letters by group")
    expect(group).to_contain_text("not a work queue")
    earlier[:] = earlier[-1:]
    group.get_by_role("button", name="Discard").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()

    expect(group).to_contain_text("No dead letters")
    assert broker.depth(DEAD_LETTER_QUEUE) == 0
