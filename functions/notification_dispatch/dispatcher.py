"""Everything one execution environment of the dispatcher holds, and one invocation of it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger

from notification_dispatch.report import report_shift
from notification_dispatch.shift import LONGEST_SEND, Shift
from scheduler.database.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from notification_dispatch.announcer import Announcer
    from notification_dispatch.lane import Lane
    from scheduler.pipeline.deadline import Deadline

logger: Final = Logger()


class Dispatcher:
    """Lanes for the channels and an announcer of events, side by side."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        announcer: Announcer,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        longest_send: float = LONGEST_SEND,
    ) -> None:
        self._lanes = lanes
        self._announcer = announcer
        self._clock = clock
        self._longest_send = longest_send
        self._threads = ThreadPoolExecutor(len(lanes) + 1, thread_name_prefix="lane")

    def run(self, deadline: Deadline) -> dict[str, int]:
        """Work until nothing is due or the time is up; return what was done.

        An absent database is logged, not raised: a nudge would only be redelivered at once, and
        the next minute tries again.
        """
        shift = Shift(deadline, len(self._lanes) + 1, self._longest_send)
        announcing = self._threads.submit(self._announcer.work, shift)
        telling = {lane.channel: self._threads.submit(lane.work, shift) for lane in self._lanes}
        futures: list[Future[Any]] = [announcing, *telling.values()]
        wait(futures)
        told = {channel: lane.result() for channel, lane in telling.items() if not lane.exception()}
        published = 0 if announcing.exception() else announcing.result()
        counts = report_shift(told, published, self._clock())
        _raise_bugs(futures)
        return counts


def _raise_bugs(futures: Iterable[Future[Any]]) -> None:
    for failure in {type(error): error for f in futures if (error := f.exception())}.values():
        if not isinstance(failure, DatabaseUnavailableError):
            raise failure
        logger.error("Database unavailable", extra={"error": str(failure)})
