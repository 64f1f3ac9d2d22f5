"""``make outage`` for a few seconds, on a platform whose messages are retried after one second."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx
import pytest

from tests.scenarios.outage import STORIES, OutageStory, What
from tests.scenarios.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.paths import StateDir

_SECONDS: Final = {What.DATABASE: 8, What.BROKER: 3, What.AWS: 3}
"""A function must notice the outage of the database and park the message before it ends."""
_RETRY_DELAY_MS: Final = 1_000


@pytest.fixture(scope="module")
def _fast_retries(local_platform: StateDir) -> Iterator[None]:
    """Shorten the delay of the retry queues: of an argument and a policy the lower value counts."""
    endpoints = json.loads(local_platform.endpoints.read_text("utf-8"))
    virtual_host = urlsplit(endpoints["amqp"]).path.removeprefix("/") or "%2F"
    url = f"{endpoints['rabbitmq_management']}/api/policies/{virtual_host}/fast-retries"
    definition = {"message-ttl": _RETRY_DELAY_MS}
    policy = {"pattern": r"\.retry$", "definition": definition, "apply-to": "queues"}
    httpx.put(url, json=policy).raise_for_status()
    yield
    httpx.delete(url).raise_for_status()


@pytest.mark.usefixtures("_fast_retries")
@pytest.mark.parametrize("what", What)
def test_what_waits_in_an_outage_is_processed_after_it(
    local_platform: StateDir, what: What
) -> None:
    with (
        closing(Platform(local_platform)) as platform,
        closing(OutageStory(platform, local_platform, what, _SECONDS[what])) as story,
    ):
        STORIES[what](story)
