"""The health check, which needs no token, cannot be used to exhaust what it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from allocation_api.resources import health
from allocation_api.resources.health import REPORT_SECONDS, health_routes
from allocation_api.settings import ApiSettings
from tests.integration.api.client import http_event
from tests.unit.api.test_routes import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

WELL: Final = {"database": "ok", "broker": "ok", "dynamodb": "ok"}
SICK: Final = WELL | {"broker": "unavailable (AMQPConnectionError)"}


def test_everything_is_asked_once_a_second_and_then_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now, found = [100.0], [WELL, SICK]
    for name in ("database_check", "broker_check", "dynamodb_check"):
        monkeypatch.setattr(health, name, lambda _: None)

    def run_checks(_: Mapping[str, Callable[[], None]], __: float) -> dict[str, str]:
        return found.pop(0)

    monkeypatch.setattr(health, "run_checks", run_checks)
    app = APIGatewayHttpResolver()
    app.include_router(health_routes(ApiSettings.model_validate(ENVIRONMENT), lambda: now[0]))

    def status() -> Any:  # noqa: ANN401 - of an answer
        return app.resolve(http_event("GET", "/api/health", None), None)["statusCode"]  # type: ignore[arg-type]  # no context

    assert [status() for _ in range(3)] == [200] * 3
    now[0] += REPORT_SECONDS
    assert [status() for _ in range(3)] == [503] * 3
