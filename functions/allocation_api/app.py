"""Lambda handler of the HTTP API."""

from __future__ import annotations

from typing import Any

from allocation_api.api import AllocationApi
from allocation_api.settings import ApiSettings
from scheduler.observability.logger import begin_invocation

_api = AllocationApi(ApiSettings.from_environment())


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return the response to a request of the HTTP API (payload format 2.0)."""
    begin_invocation(context)
    return _api.handle(event, context)
