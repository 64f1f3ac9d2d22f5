"""The health check, which needs no token, cannot be used to exhaust what it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from allocation_api.health import routes
from allocation_api.health.routes import KEPT, health_routes
from allocation_api.settings import ApiSettings
from tests.integration.api.client import http_event
from tests.unit.api.test_routes_of_the_api import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

WELL: Final = {"database": "ok", "broker": "ok", "dynamodb": "ok"}
SICK: Final = WELL | {"broker": "unavailable (AMQPConnectionError)"}


def test_everything_is_asked_once_a_second_and_then_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now, found = [100.0], [WELL, SICK]
    for name in ("database_check", "broker_check", "dynamodb_check"):
        monkeypatch.setattr(routes, name, lambda _: None)

    def probe(_: Mapping[str, Callable[[], None]], __: float) -> dict[str, str]:
        return found.pop(0)

    monkeypatch.setattr(routes, "probe", probe)
    app = APIGatewayHttpResolver()
    app.include_router(health_routes(ApiSettings.model_validate(ENVIRONMENT), lambda: now[0]))

    def status() -> Any:  # noqa: ANN401 - of an answer
        return app.resolve(http_event("GET", "/api/health", None), None)["statusCode"]  # type: ignore[arg-type]  # no context

    assert [status() for _ in range(3)] == [200] * 3
    now[0] += KEPT
    assert [status() for _ in range(3)] == [503] * 3
