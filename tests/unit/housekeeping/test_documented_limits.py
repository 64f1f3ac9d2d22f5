"""The page about housekeeping has the limits of the code."""

from __future__ import annotations

import re
from typing import Final

import pytest

from housekeeping import search_pass, serve_waiting, start_reservations
from local.paths import ROOT
from scheduler.database import purge
from scheduler.database.active_allocations import ALLOCATIONS_PER_TRANSACTION

PAGE: Final = (ROOT / "docs/housekeeping.md").read_text("utf-8")
ROWS: Final = dict(re.findall(r"^\| `(.+)` \| (.+) \|$", PAGE, re.MULTILINE))
"""What the tables say about jobs; the last table with a job is that of the limits."""


@pytest.mark.parametrize(
    ("jobs", "most"),
    [
        ("expire`, `warn", search_pass.MAX_PAGES * ALLOCATIONS_PER_TRANSACTION),
        (
            "start-reservations`, `expire-waiting",
            start_reservations.PAGES_PER_RUN * start_reservations.RESERVATIONS_PER_TRANSACTION,
        ),
        (
            "start-reservations`, `expire-waiting",
            serve_waiting.EXPIRED_PAGES_PER_RUN * serve_waiting.ENTRIES_PER_TRANSACTION,
        ),
        ("serve-waiting", serve_waiting.PAGES_PER_RUN * serve_waiting.ENTRIES_PER_TRANSACTION),
        ("purge", purge.CHUNKS_PER_RUN * purge.ROWS_PER_STATEMENT),
    ],
)
def test_the_most_that_a_run_takes_is_documented(jobs: str, most: int) -> None:
    assert f"{most:,}" in ROWS[jobs]
