"""The memory alarm of a broker: it stops reading from connections that publish."""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from local.servers.process import ServerProcess, account_for
from local.servers.programs import require_program
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.servers.rabbitmq import RabbitMQ

_USUAL_WATERMARK = "0.4"


@contextmanager
def memory_alarm(rabbitmq: RabbitMQ) -> Iterator[None]:
    """Have the broker of this test process believe that it has no memory left."""
    _set_watermark(rabbitmq, "0")
    try:
        eventually(lambda: _alarmed(rabbitmq), "the alarm")
        yield
    finally:
        _set_watermark(rabbitmq, _USUAL_WATERMARK)
        eventually(lambda: not _alarmed(rabbitmq), "the end of the alarm")


def _set_watermark(rabbitmq: RabbitMQ, watermark: str) -> None:
    control = ServerProcess(
        [require_program("rabbitmqctl"), "set_vm_memory_high_watermark", watermark],
        rabbitmq.log_file.with_name("rabbitmqctl.log"),
        rabbitmq.home,
        account_for("rabbitmq", rabbitmq.home),
        rabbitmq._environment(),
    )
    assert control.run() == 0, control.log_file.read_text()


def _alarmed(rabbitmq: RabbitMQ) -> bool:
    found = httpx.get(f"{rabbitmq.management_url}/api/health/checks/alarms", timeout=30)
    return found.status_code == HTTPStatus.SERVICE_UNAVAILABLE
