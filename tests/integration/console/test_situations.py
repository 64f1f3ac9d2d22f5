"""What operators see in a normal minute, in an outage and in a mass failure, in every look.

`make pictures` takes the pictures of the documents here.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pika
import pytest
from playwright.sync_api import expect

from scheduler.messaging.declaration import declare
from tests.integration.console.deployment import Deployment, Switch
from tests.integration.console.looking import rows, show
from tests.integration.console.pictures import RECORDING, looks
from tests.integration.console.situations import DEVICES, Fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

    from local.servers.rabbitmq import RabbitMQ
    from tests.support.store import Store

_WAVES: Final = 8 if RECORDING else 1
"""Of events; a picture shows more of them, so that there are curves."""
_STEPS: Final = ("publishers", "queues", "functions", "outcomes", "devices", "notifications")
_UNKNOWN: Final = "–"


@pytest.fixture
def broker_url(rabbitmq: RabbitMQ) -> Iterator[str]:
    """A broker whose last minute is this test's."""
    url = rabbitmq.create_vhost("situations")
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        declare(connection.channel())
    yield url
    rabbitmq.delete_vhost("situations")


@pytest.fixture
def fleet(store: Store, broker_url: str, database_url: str) -> Iterator[Fleet]:
    with closing(Fleet(store, broker_url, database_url)) as made:
        yield made


@pytest.fixture
def page(local_page: Page, fleet: Fleet) -> Page:
    """The page that has seen a fleet at work, whose notifications are sent."""

    def is_seen() -> None:
        for _ in range(2):  # the first answer may be older
            local_page.wait_for_event("response", lambda one: one.url.endswith("/overview"))

    for number in range(_WAVES):
        fleet.work(*fleet.ordinary(number), queued=is_seen)
        is_seen()
    fleet.work(fleet.invalid())
    fleet.notify()
    return local_page


def freeze(switch: Switch) -> None:
    """Let the last minute be the one before now, however long it is looked at."""
    switch.now = replace(switch.now, at=datetime.now(UTC) + timedelta(seconds=1))


def figures(page: Page, step: str) -> Locator:
    """Return the numbers of a step of the flow; those of publishers are five seconds late."""
    return page.locator(".flow > li").nth(_STEPS.index(step)).locator("dd")


def health(page: Page) -> Locator:
    """Return the figures of the first panel: servers, dispatcher, brake, held, running devices."""
    return page.locator("[data-panel=health-title] dd")


def to_retry(page: Page) -> Locator:
    """Return how many failures of devices wait for a retry."""
    name = page.locator("#queues-title").inner_text()
    return rows(page, name).first.locator("td").nth(3)


def test_normal_minute_is_shown_with_its_true_numbers(page: Page, switch: Switch) -> None:
    expect(figures(page, "publishers")).to_have_text(str(6 * _WAVES + 1))
    freeze(switch)
    live = {"en": "Live", "zh-CN": "实时"}
    armed = {"en": "armed", "zh-CN": "待命"}

    for language in looks(page, "normal", until="queues-title"):
        expect(page.locator("#live")).to_have_text(live[language])
        expect(health(page).nth(4)).to_have_text(armed[language])
        expect(health(page).nth(6)).to_contain_text(str(DEVICES))
        expect(figures(page, "queues")).to_have_text(["0"] * 3)
        expect(figures(page, "functions")).to_have_text([str(5 * _WAVES + 1), "0", str(_WAVES)])
        applied = [str(4 * _WAVES), *[str(_WAVES)] * 2, *"000", "1", "0"]
        expect(figures(page, "outcomes")).to_have_text(applied)
        expect(figures(page, "devices")).to_have_text([str(2 * _WAVES), *"00"])
        sent = [str(3 * _WAVES), str(_WAVES), "0", _UNKNOWN]
        expect(figures(page, "notifications")).to_have_text(sent)
        expect(page.locator("nav .count")).to_have_text("1")
        expect(page.locator(".stale:not(:empty)")).to_have_count(0)


def test_outage_is_named_and_what_waits_for_its_end_is_counted(
    page: Page, switch: Switch, fleet: Fleet
) -> None:
    fleet.database_url = Deployment().database_url
    switch.now = replace(switch.now, database_url=fleet.database_url)
    fleet.work(*fleet.failures(5))
    freeze(switch)
    expect(figures(page, "publishers")).to_have_text(str(6 * _WAVES + 6))
    told = {"en": "Cannot reach the database", "zh-CN": "无法连接数据库"}
    unknown = {"en": "Unknown", "zh-CN": "未知"}

    for language in looks(page, "outage", until="queues-title"):
        expect(page.locator("#live")).to_have_text(told[language])
        expect(page.locator("#live")).to_have_class("live bad")
        expect(page.locator("[data-panel=health-title] [lang=en]")).to_contain_text("refused")
        expect(figures(page, "queues")).to_have_text(["0", "0", "5"])
        expect(to_retry(page)).to_have_text("5")
        for step in ("functions", "outcomes", "devices", "notifications"):
            texts = figures(page, step).all_inner_texts()
            assert set(texts) == {_UNKNOWN}, step
        for panel in ("notifications", "outcomes"):
            table = page.locator(f"[data-panel={panel}-title] tbody")
            expect(table).to_have_text(unknown[language])
        expect(page.locator(".stale:not(:empty)")).to_have_count(3)


def test_mass_failure_shows_that_the_brake_holds_and_what(
    page: Page, switch: Switch, fleet: Fleet
) -> None:
    fleet.work(*fleet.failures(60))
    fleet.notify()
    freeze(switch)
    allowed = DEVICES // 5
    held = str(2 * _WAVES + 60 - allowed)
    expect(figures(page, "publishers")).to_have_text(str(6 * _WAVES + 61))
    told = {"en": "The mass-failure brake is engaged", "zh-CN": "大规模故障：已制动"}
    engaged = {"en": "engaged", "zh-CN": "已制动"}

    for language in looks(page, "mass-failure", until="queues-title"):
        expect(page.locator("#live")).to_have_text(told[language])
        expect(page.locator("#live")).to_have_class("live bad")
        expect(health(page).nth(4)).to_have_text(engaged[language])
        expect(health(page).nth(5)).to_have_text(held)
        expect(page.locator("[data-panel=health-title] button")).to_have_count(2)
        expect(figures(page, "outcomes").nth(4)).to_have_text(held)
        expect(figures(page, "devices").first).to_have_text(str(allowed))
        expect(figures(page, "queues")).to_have_text(["0", "0", held])
        expect(to_retry(page)).to_have_text(held)


def test_followed_message_marks_the_steps_that_it_has_reached(
    page: Page, switch: Switch, fleet: Fleet
) -> None:
    (failure,) = fleet.failures(1)
    fleet.work(failure)
    fleet.notify()
    freeze(switch)
    show(page, f"message/{failure.properties['message_id']}")
    arrived = {"en": "The user's frame has arrived", "zh-CN": "用户已收到推送"}
    released = {"en": "released", "zh-CN": "已释放"}
    expect(figures(page, "publishers")).to_have_text(str(6 * _WAVES + 2))

    for language in looks(page, "message", until="effects-title", pictured=("light",)):
        expect(figures(page, "notifications").nth(-2)).to_have_text("0")  # none is pending
        expect(page.locator("[data-panel=message-title] [role=status]").last).to_contain_text(
            arrived[language]
        )
        expect(page.locator(".flow > .reached")).to_have_count(6)
        marked = page.locator(".flow .marked dt")
        expect(marked.nth(2)).to_have_text(released[language])
        expect(page.locator(".entries")).to_contain_text("Rack 7 is unreachable")
