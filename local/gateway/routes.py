"""The routes of the HTTP API, as in ``template.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_PROXY: Final = "{proxy+}"


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path of the HTTP API; the path may end in a greedy ``{proxy+}``."""

    method: str
    path: str
    authorized: bool

    @property
    def key(self) -> str:
        """Return the route key, e.g. ``GET /api/health``."""
        return f"{self.method} {self.path}"

    def parameters(self, method: str, path: str) -> dict[str, str] | None:
        """Return the path parameters if this route matches a request, else None."""
        if self.method not in (method, "ANY"):
            return None
        prefix, greedy, _ = self.path.partition(_PROXY)
        if not greedy:
            return {} if path == self.path else None
        rest = path.removeprefix(prefix)
        return {"proxy": rest} if path.startswith(prefix) and rest else None


ROUTES: Final = (  # most specific first: the order in which API Gateway matches
    Route("GET", "/api/health", authorized=False),
    Route("GET", "/openapi.json", authorized=False),
    Route("OPTIONS", "/api/{proxy+}", authorized=False),
    Route("ANY", "/api/{proxy+}", authorized=True),
)


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a request and its path parameters; None when no route matches."""
    for route in ROUTES:
        if (parameters := route.parameters(method, path)) is not None:
            return route, parameters
    return None
