"""Health checks: in parallel, with a timeout, and not more often than every five seconds."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from allocation_api.resources import health
from allocation_api.resources.health import REPORT_SECONDS, health_routes, run_checks
from allocation_api.settings import ApiSettings
from tests.integration.api.client import http_event
from tests.unit.api.test_routes import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

HEALTHY: Final = {"database": "ok", "broker": "ok", "dynamodb": "ok"}
UNHEALTHY: Final = HEALTHY | {"broker": "unavailable (AMQPConnectionError)"}


def test_checks_run_every_five_seconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    now, found = [100.0], [HEALTHY, UNHEALTHY]
    for name in ("database_check", "broker_check", "dynamodb_check"):
        monkeypatch.setattr(health, name, lambda _: None)

    def next_results(_: Mapping[str, Callable[[], None]], __: float) -> dict[str, str]:
        return found.pop(0)

    monkeypatch.setattr(health, "run_checks", next_results)
    app = APIGatewayHttpResolver()
    app.include_router(health_routes(ApiSettings.model_validate(ENVIRONMENT), lambda: now[0]))

    def status() -> Any:  # noqa: ANN401 - any JSON
        return app.resolve(http_event("GET", "/api/health", None), None)["statusCode"]  # type: ignore[arg-type]  # no context

    assert [status() for _ in range(3)] == [200] * 3
    now[0] += REPORT_SECONDS - 0.1
    assert status() == 200
    now[0] += 0.1
    assert [status() for _ in range(3)] == [503] * 3


def test_a_check_that_hangs_times_out() -> None:
    released = Event()

    def hang() -> None:
        released.wait()

    results = run_checks({"good": lambda: None, "hanging": hang}, 1.5)

    released.set()
    assert results == {"good": "ok", "hanging": "no answer within 1.5 s"}


def test_checks_run_in_parallel() -> None:
    first, second = Event(), Event()

    def meet(mine: Event, theirs: Event) -> None:
        mine.set()
        assert theirs.wait(10)

    results = run_checks({"a": lambda: meet(first, second), "b": lambda: meet(second, first)}, 20)

    assert results == {"a": "ok", "b": "ok"}


def test_a_failed_check_reports_only_the_class_of_the_error() -> None:
    def fail() -> None:
        raise ConnectionRefusedError("10.0.0.7:5671 as scheduler")

    assert run_checks({"broker": fail}, 5) == {"broker": "unavailable (ConnectionRefusedError)"}
