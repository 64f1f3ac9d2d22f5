"""Runs checks side by side and waits only so long for them."""

from __future__ import annotations

import time
from threading import Thread
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OK: Final = "ok"

_logger: Final = Logger()


def probe(checks: Mapping[str, Callable[[], None]], seconds: float) -> dict[str, str]:
    """Return for each check ``ok`` or why not, after ``seconds`` at the latest.

    The reason is a class of error only: addresses and accounts go to the log.
    """
    results = dict.fromkeys(checks, f"no answer within {seconds:g} s")

    def run(name: str, check: Callable[[], None]) -> None:
        try:
            check()
        except Exception as error:  # whatever it is, it is the answer
            _logger.exception("health check failed", extra={"dependency": name})
            results[name] = f"unavailable ({type(error).__name__})"
        else:
            results[name] = OK

    # Daemons, since a check that hangs must not keep the process alive.
    threads = [Thread(target=run, args=item, daemon=True) for item in checks.items()]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return dict(results)
