"""What the console's panels show and do, with much data, in Chromium."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from scheduler.ids import uuid7
from tests.integration.console.conftest import HOLDER, LETTERS, MARKUP
from tests.integration.console.looking import fact, rows, serious, show
from tests.integration.ops.letters import Broker, letter
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.world import held, world

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from local.servers.mariadb import MariaDB
    from tests.support.store import Store


@pytest.mark.usefixtures("much")
def test_figures_are_complete_and_correct(page: Page) -> None:
    expect(page.locator("#live")).to_have_text("Live")
    expect(rows(page, "Queues")).to_have_count(15)
    expect(page.locator("nav .count")).to_have_text("50")
    expect(rows(page, "Dead letters by group").locator("td").nth(2)).to_have_text("50")

    show(page, "pool")
    expect(fact(page, "Devices")).to_have_text("10,000")
    expect(fact(page, "Can be allocated")).to_have_text("9,999")
    expect(rows(page, "Devices")).to_have_count(50)
    page.get_by_role("button", name="Next: Devices").click()
    expect(rows(page, "Devices").first).to_contain_text("d-00050")
    page.get_by_label("Search by the beginning of the id").fill("d-0000")
    expect(rows(page, "Devices")).to_have_count(10)
    expect(rows(page, "Devices").nth(1)).to_contain_text(HOLDER)
    page.get_by_label("Health").select_option("failed")
    expect(page.get_by_text("No devices")).to_be_visible()


def test_letters_are_shown_edited_replayed_and_discarded(page: Page, much: Broker) -> None:
    show(page, "letters")
    group = rows(page, "Dead letters by group")
    group.get_by_role("link").click()
    first = page.locator("article").first
    expect(page.locator("article")).to_have_count(LETTERS)
    expect(first).to_contain_text(MARKUP)

    first.get_by_role("button", name="Edit: m-0").click()
    editor = first.get_by_label("Body of m-0")
    editor.fill('{"deviceId": "d-00001"}')
    first.get_by_role("button", name="Replay edited").click()
    page.get_by_role("dialog").get_by_role("button", name="Replay edited").click()
    expect(first.get_by_role("status")).to_contain_text("required")  # the reason is missing
    old = '{"deviceId": "d-00001", "reason": "It is dark", "timestamp": "2026-01-01T00:00:00Z"}'
    editor.fill(old)
    first.get_by_role("button", name="Replay edited").click()
    expect(page.get_by_role("dialog")).to_contain_text("would take the device from a user")
    page.keyboard.press("Escape")
    editor.fill('{"deviceId": "d-00001", "reason": "It is dark"}')
    first.get_by_role("button", name="Replay edited").click()
    page.get_by_role("dialog").get_by_role("button", name="Replay edited").click()
    expect(page.locator("article")).to_have_count(LETTERS - 1)

    group.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(group.get_by_role("button", name="Discard")).to_be_focused()
    group.get_by_role("button", name="Replay").click()
    page.get_by_role("dialog").get_by_role("button", name="Replay").click()
    expect(page.locator("[data-panel=groups-title] output")).to_contain_text("Replayed 49 of 49")
    assert much.depth("scheduler.device-failed") == LETTERS

    much.publish(letter("user.suspended", id="m-last"))
    expect(group).to_contain_text("user-suspended")
    group.get_by_role("button", name="Discard").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(page.locator("[data-panel=groups-title] output")).to_contain_text(
        "Discarded 1; the copies are in /"
    )
    expect(group).to_contain_text("No dead letters")
    expect(page).to_have_title("CloudPhone Scheduler – console")


def test_edited_letter_tells_why_no_timeline_shows_it(page: Page, broker_url: str) -> None:
    Broker(broker_url).publish(letter(id="m-1", deviceId="d1"))
    done = {"notNoted": "cannot reach the database"}
    page.route("**/dead-letters.edit", lambda route: route.fulfill(json=done))
    show(page, "letters")
    rows(page, "Dead letters by group").get_by_role("link").click()

    page.get_by_role("button", name="Edit: m-1").click()
    page.get_by_role("button", name="Replay edited").click()
    page.get_by_role("dialog").get_by_role("button", name="Replay edited").click()

    expect(page.locator("article output")).to_contain_text(
        "Timelines do not show this: cannot reach the database"
    )


def test_letter_with_half_a_surrogate_pair_is_shown(page: Page, broker_url: str) -> None:
    Broker(broker_url).publish(letter(id="m-1", body=rb'{"deviceId": "\ud800"}'))

    show(page, "letters")
    rows(page, "Dead letters by group").get_by_role("link").click()

    expect(page.locator("article pre").first).to_contain_text(r'"deviceId": "\ud800"')


def test_direction_controls_are_shown_and_do_not_act(page: Page, broker_url: str) -> None:
    body = json.dumps({"deviceId": "d1", "reason": "\u202e5 left"}, ensure_ascii=False)
    Broker(broker_url).publish(letter(id="m-\u20661", body=body.encode(), error="no \u202ereason"))

    show(page, "letters")
    rows(page, "Dead letters by group").get_by_role("link").click()

    article = page.locator("article")
    expect(article.locator("pre").first).to_contain_text(r'"reason": "\u202e5 left"')
    expect(article).to_contain_text(r"no \u202ereason")
    page.get_by_role("button", name=r"Edit: m-\u20661").click()
    assert "\u202e5 left" in article.locator("textarea").input_value()
    page.get_by_role("button", name="Cancel").click()
    assert not set("\u202e\u2066").intersection(page.content())


def test_message_is_followed_and_its_user_looked_up(
    page: Page, store: Store, database_url: str, broker_url: str
) -> None:
    store.seed(world(held("d1", by=HOLDER)))
    show(page, "message/m-1")
    expect(page.get_by_text("No function has received it yet")).to_be_visible()
    with Functions(database_url, broker_url, clock=lambda: datetime.now(UTC)) as functions:
        functions.handle(message("device.failed", id="m-1", deviceId="d1", reason="It is dark"))
    expect(page.get_by_text("The notification is on its way")).to_be_visible()
    store.run("UPDATE notification_deliveries SET status = 'sent', sent_at = UTC_TIMESTAMP(6)")
    expect(page.get_by_text("The user's frame has arrived")).to_be_visible()
    expect(page.locator(".flow > .reached")).to_have_count(6)

    page.get_by_role("link", name=HOLDER).first.click()
    expect(page.locator(".entries")).to_contain_text("It is dark")
    page.get_by_role("link", name="Show the user").click()
    expect(rows(page, "Allocations, the newest first")).to_contain_text("It is dark")
    expect(fact(page, "Payment failures")).to_have_text("0")


def test_all_allocations_of_a_user_are_reached(page: Page, store: Store) -> None:
    now = datetime.now(UTC)
    store.seed(world(held("d1", by=HOLDER)))
    store.insert(
        "allocations",
        "id, user_id, device_id, status, allocated_at, expires_at, released_at",
        [
            (uuid7(), HOLDER, "d1", "RELEASED", at, at, at)
            for at in (now - timedelta(hours=n) for n in range(1, 121))
        ],
    )
    store.insert(
        "waiting",
        "id, user_id, minutes, min_cpu_cores, min_memory_mb, created_at, expires_at",
        [(uuid7(), HOLDER, 60, 2, 4096, now, now) for _ in range(51)],
    )

    show(page, f"users/{HOLDER}")
    allocations = rows(page, "Allocations, the newest first")
    expect(page.get_by_text("Only the newest 50 are shown.")).to_be_visible()
    older = page.get_by_role("button", name="Older: Allocations, the newest first")
    for shown in (50, 100):
        expect(allocations).to_have_count(shown)
        older.click()
    expect(allocations).to_have_count(121)
    expect(older).to_have_count(0)


def test_server_that_hangs_is_named_and_the_rest_is_shown(page: Page, mariadb: MariaDB) -> None:
    pids = mariadb.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        expect(page.locator("#live")).to_have_text("Database: no answer within 2.5 s")
        expect(page.locator("#live")).to_have_class("live bad")
        expect(fact(page, "Broker")).to_contain_text("ok")
        applied = page.locator(".flow div", has=page.get_by_text("applied", exact=True))
        expect(applied.locator("dd")).to_have_text("–")
        expect(rows(page, "Queues")).to_have_count(15)
        show(page, "pool")
        expect(page.locator("[data-panel=pool-title] .stale")).to_contain_text("Not up to date")
        assert serious(page) == []
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    expect(page.locator("#live")).to_have_text("Live")


def test_stalled_queue_is_named_but_not_the_dead_letter_queue(page: Page) -> None:
    stuck = page.evaluate("""async () => {
        const { remember, isStuck } = await import("/page/samples.js")
        const names = ["scheduler.dead-letters", "scheduler.device-failed"]
        const now = Date.now()
        for (const [ready, at] of [[0, now], [50, now + 1], [50, now + 30_000]])
            remember(Object.fromEntries(names.map(name => [name, { ready, unacked: 0 }])), at)
        return names.filter(isStuck)
    }""")

    assert stuck == ["scheduler.device-failed"]


def test_focus_and_selection_survive_and_only_changes_are_announced(
    page: Page, much: Broker
) -> None:
    link = rows(page, "Dead letters by group").get_by_role("link")
    link.focus()
    cell = rows(page, "Queues").first.locator("td").first
    cell.evaluate("cell => getSelection().selectAllChildren(cell)")
    page.evaluate("""() => {
        window.announced = []
        const live = document.getElementById("live")
        new MutationObserver(() => window.announced.push(live.textContent))
            .observe(live, {childList: true, characterData: true, subtree: true})
    }""")
    much.publish(letter("user.suspended", id="another"))

    expect(page.locator("nav .count")).to_have_text("51")
    expect(rows(page, "Dead letters by group")).to_have_count(2)
    expect(link.first).to_be_focused()
    assert page.evaluate("getSelection().toString().trim()") == "device-failed"
    announced = page.evaluate("window.announced")
    assert set(announced) <= {"Live", "Waiting for an answer"}  # the latter on a busy machine
    assert all(one != other for one, other in pairwise(announced))


def test_page_is_shown_in_chinese(page: Page) -> None:
    page.get_by_role("button", name="中文").click()

    expect(page.locator("#queues-title")).to_have_text("队列")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.reload()  # the token is kept by the tab, the language by the browser
    expect(page.locator("#letters-title")).to_have_text("死信")
    page.get_by_role("button", name="English").click()
    expect(page.locator("#letters-title")).to_have_text("Dead letters")
