"""docs/three-questions.md shows what the commands print; `make sessions` writes it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

import pytest

from local.paths import ROOT
from tests.integration.ops.sessions import SESSIONS

if TYPE_CHECKING:
    from tests.integration.ops.letters import Broker
    from tests.support.store import Store

PAGE: Final = ROOT / "docs" / "three-questions.md"
MAX_STEPS: Final = 2


@pytest.mark.parametrize("question", SESSIONS)
def test_recorded_session_is_what_the_commands_print(
    question: str,
    store: Store,
    broker: Broker,
    database_url: str,
    broker_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("BROKER_URL", broker_url)
    page = PAGE.read_text("utf-8")
    recorded = re.search(rf"(## {re.escape(question)}\n.*?\n```\n)(.*?)\n```", page, re.DOTALL)
    assert recorded, question

    lines = list(SESSIONS[question](store, broker))

    printed = "\n".join(lines)
    if "RECORD" in os.environ:
        PAGE.write_text(page.replace(recorded[0], f"{recorded[1]}{printed}\n```"), "utf-8")
    else:
        assert recorded[2] == printed, "stale: make sessions"
    assert sum(line.startswith("$ ") for line in lines) <= MAX_STEPS
