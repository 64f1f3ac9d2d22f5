"""Execution environments that compete for the devices of one pool, and for the quota of one user.

Reads its parameters as JSON from stdin and prints the figures as its last line. Each process has
the handler of the API, the event functions and housekeeping, with its own connections. A round is
one request, one batch of events or one run of housekeeping, chosen at random.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import random
import sys
import time
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from allocation_api.api import AllocationApi
from allocation_api.settings import ApiSettings
from housekeeping.jobs import JOBS
from housekeeping.runner import JobRunner
from housekeeping.settings import HousekeepingSettings
from housekeeping.tools import Tools
from scheduler.database.connection import Database
from scheduler.deadline import Deadline
from scheduler.domain.model import Quota
from scheduler.ids import uuid7
from scheduler.unit_of_work import UnitsOfWork
from tests.integration.api.client import Client
from tests.support.events import message
from tests.support.functions import OUTSIDE, Functions

if TYPE_CHECKING:
    from collections.abc import Callable

ONE_USER: Final = "greedy"
OTHERS: Final = [f"user-{number}" for number in range(6)]
JOBS_OF_THE_POOL: Final = ("expire", "start-reservations", "serve-waiting")


@dataclass
class Figures:
    """How often each result occurred, and the seconds that each request took."""

    responses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    housekeeping: Counter[str] = field(default_factory=Counter)


class Racer:
    """One process: performs random actions and remembers the ids that it was given."""

    def __init__(self, url: str, broker_url: str, devices: int, seed: int) -> None:
        settings: dict[str, Any] = {
            "DATABASE_URL": url,
            "BROKER_URL": broker_url,
            **OUTSIDE,
            "REALTIME_TICKETS_TABLE": "realtime-tickets",
        }
        self.figures = Figures()
        self._random = random.Random(seed)  # noqa: S311 - not a secret
        self._devices = [f"d{number:03}" for number in range(1, devices + 1)]
        self._api = Client(AllocationApi(ApiSettings.model_validate(settings)).handle)
        self._functions = Functions(url, broker_url, clock=lambda: datetime.now(UTC))
        keeping = HousekeepingSettings.model_validate(settings)
        units = UnitsOfWork(Database(keeping), Quota(10), lambda: None)
        self._jobs = JobRunner(JOBS, Tools(keeping, units))
        self._allocations: list[str] = []
        self._entries: list[str] = []
        self._reservations: list[str] = []

    def run(self, rounds: int) -> Figures:
        """Perform random actions."""
        actions: dict[Callable[[], None], int] = {
            self._allocate: 30,
            self._wait: 12,
            self._release: 30,
            self._release_several: 4,
            self._extend: 6,
            self._leave: 4,
            self._reserve: 4,
            self._cancel: 2,
            self._allocate_several: 4,
            self._event: 9,
            self._keep_house: 1,
        }
        for action in self._random.choices(list(actions), list(actions.values()), k=rounds):
            action()
        return self.figures

    def _allocate(self) -> None:
        self._request({"userId": self._user()})

    def _wait(self) -> None:
        self._request({"userId": self._user(), "wait": True, "priority": self._random.randrange(3)})

    def _request(self, body: dict[str, Any]) -> None:
        key = {"idempotency-key": uuid7()}
        reply = self._send("POST", "/api/allocations", body, key)
        if reply.status == 201:
            self._allocations.append(reply.body["id"])
        if reply.status == 202:
            self._entries.append(reply.body["id"])
        if reply.status in {201, 202} and self._random.random() < 0.2:
            again = self._send("POST", "/api/allocations", body, key)
            assert again.status == 503 or again.body["id"] == reply.body["id"], again

    def _release(self) -> None:
        # Entries and reservations may have become allocations with the same id.
        (ids,) = self._random.choices(
            [self._allocations, self._entries, self._reservations], [6, 3, 1]
        )
        id_ = self._one_of(ids)
        if id_ and self._send("DELETE", f"/api/allocations/{id_}").status == 404:
            ids.append(id_)

    def _release_several(self) -> None:
        ids = [id_ for _ in range(3) if (id_ := self._one_of(self._allocations))]
        if ids:
            body = {"allocationIds": ids}
            self._send("POST", "/api/allocations/batch/release", body)

    def _extend(self) -> None:
        if self._allocations:
            id_ = self._random.choice(self._allocations)
            self._send("POST", f"/api/allocations/{id_}/extend", {"additionalMinutes": 5})

    def _leave(self) -> None:
        if id_ := self._one_of(self._entries):
            self._send("DELETE", f"/api/allocations/waiting/{id_}")

    def _reserve(self) -> None:
        start = datetime.now(UTC) + timedelta(seconds=self._random.choice([1, 2, 7200]))
        body = {"userId": self._user(), "startsAt": start.isoformat(), "durationMinutes": 30}
        reply = self._send("POST", "/api/reservations", body)
        if reply.status == 201:
            self._reservations.append(reply.body["id"])

    def _cancel(self) -> None:
        if id_ := self._one_of(self._reservations):
            self._send("DELETE", f"/api/reservations/{id_}")

    def _allocate_several(self) -> None:
        requests = [{"userId": self._user()} for _ in range(3)]
        reply = self._send("POST", "/api/allocations/batch", {"requests": requests})
        if reply.status == 200:
            self._allocations += [one["id"] for one in reply.body["results"] if "id" in one]

    def _event(self) -> None:
        device, user = self._random.choice(self._devices), self._random.choice(OTHERS)
        happened: list[list[tuple[str, dict[str, Any]]]] = [
            [("device.failed", {"deviceId": device}), ("device.created", {"deviceId": device})],
            [("user.suspended", {"userId": user}), ("user.activated", {"userId": user})],
            [("user.quota_updated", {"userId": ONE_USER, "newQuota": {"maxDevices": 4}})],
            [("user.quota_updated", {"userId": ONE_USER, "newQuota": {"maxDevices": 6}})],
        ]
        batch = [
            message(type_, id=uuid7(), **fields) for type_, fields in self._random.choice(happened)
        ]
        self.figures.events.update(self._functions.handle(*batch))

    def _keep_house(self) -> None:
        results = self._jobs.run(JOBS_OF_THE_POOL, Deadline(float("inf")))
        self.figures.housekeeping.update(result["status"] for result in results.values())

    def _send(self, method: str, path: str, body: object = None, headers: Any = None) -> Any:  # noqa: ANN401 - JSON
        started = time.perf_counter()
        reply = self._api.send(method, path, body=body, headers=headers)
        self.figures.seconds.append(time.perf_counter() - started)
        code = reply.body["error"]["code"] if "error" in reply.body else ""
        self.figures.responses[f"{reply.status} {code}".strip()] += 1
        return reply

    def _user(self) -> str:
        return ONE_USER if self._random.random() < 0.5 else self._random.choice(OTHERS)

    def _one_of(self, ids: list[str]) -> str | None:
        return ids.pop(self._random.randrange(len(ids))) if ids else None


def _race(job: dict[str, Any]) -> Figures:
    logging.disable(logging.CRITICAL)
    with redirect_stdout(StringIO()):  # metrics
        return Racer(job["url"], job["broker"], job["devices"], job["seed"]).run(job["rounds"])


def main() -> None:
    """Run all processes, and print the sum of their figures."""
    order = json.load(sys.stdin)
    count = order["processes"]
    jobs = [
        {**order, "seed": order["seed"] + number, "rounds": order["rounds"] // count}
        for number in range(count)
    ]
    with multiprocessing.get_context("fork").Pool(count) as pool:
        all_figures = pool.map(_race, jobs, chunksize=1)
    total = Figures()
    for figures in all_figures:
        total.responses += figures.responses
        total.events += figures.events
        total.housekeeping += figures.housekeeping
        total.seconds += figures.seconds
    print(json.dumps(vars(total)))


if __name__ == "__main__":
    main()
