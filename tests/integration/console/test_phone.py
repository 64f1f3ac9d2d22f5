"""Many and hostile dead letters on a phone, and a server that hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.integration.console.looking import rows, serious, show
from tests.integration.ops.letters import Broker, letter

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTH: Final = 360
CAUSES: Final = 26


@pytest.fixture
def phone(page: Page) -> Page:
    page.set_viewport_size({"width": WIDTH, "height": 740})
    return page


@pytest.fixture
def groups(broker_url: str) -> None:
    """More groups than a screen shows; each letter has reached the replay limit."""
    errors = [chr(ord("a") + number) * 9 for number in range(CAUSES)]
    Broker(broker_url).publish(
        *(letter(id=f"m-{error}", error=f"LookupError: {error}", replays=3) for error in errors)
    )


@pytest.mark.usefixtures("groups")
def test_opened_group_and_refusal_are_on_the_screen(phone: Page) -> None:
    show(phone, "letters")
    table = rows(phone, "Dead letters by group")
    expect(table).to_have_count(CAUSES)

    table.first.get_by_role("link").click()

    heading = phone.get_by_role("heading", name="Letters of device-failed")
    expect(heading).to_be_focused()
    expect(heading).to_be_in_viewport()
    replay = table.first.get_by_role("button", name="Replay")
    replay.click()
    phone.get_by_role("dialog").get_by_role("button", name="Replay").click()
    result = phone.locator("[data-panel=groups-title] output")
    expect(result).to_contain_text("replayed 3 times already")
    expect(result).to_be_in_viewport()
    expect(replay).to_be_focused()


def test_hostile_letters_fit_the_screen_and_can_be_opened(phone: Page, broker_url: str) -> None:
    broker = Broker(broker_url)
    for number, (queue, error) in enumerate(
        (("w" * 300, "E" * 2000), ("their/queue?#%", "%E0 / ? # \u202e"), ("a queue", " \t"))
    ):
        about = {"message_id": f"m-{number}" * 30}
        headers = {"x-source-queue": queue, "x-error": error}
        body = b'{"deviceId": "' + b"d" * 64 + b'"}'
        broker.publish(OutboundMessage("", DEAD_LETTER_QUEUE, body, about | {"headers": headers}))
    show(phone, "letters")
    links = rows(phone, "Dead letters by group").get_by_role("link")
    expect(links).to_have_count(3)

    for link in links.all():
        link.click()
        expect(phone.locator("article")).to_have_count(1)
        assert phone.evaluate("document.documentElement.scrollWidth") <= WIDTH
        assert link.inner_text().strip()
    assert serious(phone) == []


def test_server_that_hangs_is_named_while_its_answer_is_awaited(page: Page) -> None:
    """Or each look at it would announce the problem again."""
    named = page.evaluate("""async () => {
        const { stateOf } = await import("/page/state.js")
        const well = { database: {}, broker: {}, dynamodb: {} }
        const hangs = { ...well, database: { error: "no answer within 2.5 s" } }
        return [well, hangs].map(overview => stateOf({ overview, waiting: true }).text)
    }""")

    assert named == ["Waiting for an answer", "Database: no answer within 2.5 s"]
