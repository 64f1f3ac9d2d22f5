"""A request that hangs delays neither other channels nor other deliveries."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING

from notification_dispatch.channels.sender import Accepted, SendResponse
from notification_dispatch.send_window import SendWindow
from scheduler.domain.notices import Channel
from tests.integration.dispatch.outbox import NewNotification, Outbox, to_each_user
from tests.integration.dispatch.workers import (
    EMAIL_ONLY,
    THREADS,
    WEBSOCKET_ONLY,
    invocation,
)
from tests.support.deliveries import FakeSender
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from notification_dispatch.channel_worker import ChannelWorker
    from scheduler.outbox.delivery import Delivery


def test_hanging_channel_does_not_delay_another(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    outbox.add(*to_each_user(10, channels=(*EMAIL_ONLY, *WEBSOCKET_ONLY)))
    release = Event()

    def hang(_: Delivery) -> SendResponse:
        release.wait()
        return Accepted()

    mail, push = make_worker(FakeSender(respond=hang)), make_worker(FakeSender(Channel.WEBSOCKET))
    both = invocation(workers=2)
    threads = [Thread(target=worker.work, args=(both,)) for worker in (mail, push)]
    for thread in threads:
        thread.start()

    eventually(
        lambda: outbox.statuses(Channel.WEBSOCKET) == {"sent": 10}, "frames are sent meanwhile"
    )
    outbox.add(NewNotification(channels=WEBSOCKET_ONLY))
    eventually(lambda: outbox.statuses(Channel.WEBSOCKET) == {"sent": 11}, "the new frame is sent")
    assert outbox.statuses(Channel.EMAIL) == {"pending": 10}

    release.set()
    for thread in threads:
        thread.join()
    assert outbox.statuses() == {"sent": 21}


def test_hanging_request_does_not_delay_new_deliveries(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    (stuck,) = outbox.add(NewNotification(channels=WEBSOCKET_ONLY))
    release = Event()

    def hang(delivery: Delivery) -> SendResponse:
        if delivery.notification_id == stuck:
            release.wait()
        return Accepted()

    sender = FakeSender(Channel.WEBSOCKET, hang)
    worker = make_worker(sender, window=SendWindow(THREADS))
    thread = Thread(target=worker.work, args=(invocation(),))
    thread.start()
    eventually(lambda: len(sender.sent) == 1, "one is in flight")
    outbox.add(NewNotification("another", WEBSOCKET_ONLY))

    eventually(lambda: outbox.statuses() == {"pending": 1, "sent": 1}, "the other is sent")

    release.set()
    thread.join()
