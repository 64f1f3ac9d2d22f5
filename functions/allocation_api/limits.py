"""Limits per caller: of requests, and of the rows that a user can create.

Administrators have none but those of API Gateway, since services that act for all users are
administrators.
"""

from __future__ import annotations

import math
import time
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, Final

from pymysql import MySQLError

from allocation_api.errors import ApiError
from allocation_api.token_buckets import BLOCK, TokenBuckets, TokenLimit
from scheduler.database import request_limits
from scheduler.database.errors import DatabaseUnavailableError
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from allocation_api.caller import Caller
    from allocation_api.settings import ApiSettings
    from scheduler.database.connection import Database

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_TOKENS_PER_CHANGE: Final = 5
"""A request that changes something locks rows and commits; it costs about as much as five reads."""
_HEALTH: Final = "/api/health"
_HEALTH_BURST: Final = 10
_HOUR: Final = 3600
_IPV6_NETWORK_BITS: Final = 64
"""A network of this size belongs to one customer; its addresses are free to choose."""
_BACKOFF_SECONDS: Final = 5.0

_logger: Final = service_logger()


def shared_buckets(
    database: Database, clock: Callable[[], float] = time.monotonic
) -> Callable[[str, float], float | None]:
    """Return a function for `TokenBuckets` that takes tokens from the buckets in the database.

    It returns None if the database fails. For five seconds after a failure the database is not
    queried, so that requests do not wait for another timeout.
    """
    away_until = 0.0

    def take(name: str, seconds: float) -> float | None:
        nonlocal away_until
        if clock() < away_until:
            return None
        try:
            with database.transaction() as cursor:
                return request_limits.take(cursor, name, seconds)
        except (DatabaseUnavailableError, MySQLError) as error:
            away_until = clock() + _BACKOFF_SECONDS
            _logger.warning("Limits are applied by each environment", extra={"error": str(error)})
            return None

    return take


class RequestLimits:
    """Refuses requests of callers who send too many."""

    def __init__(self, settings: ApiSettings, buckets: TokenBuckets) -> None:
        self._buckets = buckets
        self._requests = TokenLimit(settings.caller_rate_limit, settings.caller_burst_limit)
        # A check is a block of tokens, so that it is taken at once: environments that count checks
        # in blocks would admit ten each, and a check keeps an environment busy.
        self._health = TokenLimit(settings.health_rate_limit * BLOCK, _HEALTH_BURST * BLOCK)

    def admit(self, http: Mapping[str, Any], caller: Caller | None) -> None:
        """Count a request, by its user, or by its address if the route is open.

        Args:
            http: ``requestContext.http`` of the event.
            caller: None for an open route.

        Raises:
            ApiError: 429.
        """
        if caller is None:
            address = _network(http["sourceIp"])
            if http["path"] == _HEALTH:
                self._take(f"{address}/health", self._health, BLOCK)
            else:
                self._take(f"{address}/openapi", self._requests)
        elif not caller.is_admin:
            tokens = 1 if http["method"] in _READING else _TOKENS_PER_CHANGE
            self._take(f"{caller.user_id}/requests", self._requests, tokens)

    def add(self, caller: Caller, requests: int) -> None:
        """Count a request of a user as more than one, because it costs as much as several."""
        if requests and not caller.is_admin:
            self._buckets.take(f"{caller.user_id}/requests", self._requests, requests)

    def _take(self, name: str, limit: TokenLimit, tokens: int = 1) -> None:
        if wait := self._buckets.wait(name, limit):
            raise _too_many("too_many_requests", "too many requests; try again later", wait)
        self._buckets.take(name, limit, tokens)


class CreationLimits:
    """Refuses to create rows for users who create too many, and for unknown ones."""

    def __init__(
        self, settings: ApiSettings, buckets: TokenBuckets, is_known: Callable[[str], bool]
    ) -> None:
        per_hour = settings.creations_per_hour
        self._buckets = buckets
        self._limit = TokenLimit(per_hour / _HOUR, per_hour)
        self._allow_unknown = settings.allow_unknown_users
        self._is_known = is_known

    def require(self, caller: Caller) -> None:
        """Return if a caller may create an allocation, a reservation or the like.

        Raises:
            ApiError: 429; or 403, the caller is unknown and unknown users have no quota.
            DatabaseUnavailableError: the database is unavailable.
        """
        if caller.is_admin:
            return
        if not self._allow_unknown and not self._is_known(caller.user_id):
            message = "the user is unknown; no service has created them"
            raise ApiError(HTTPStatus.FORBIDDEN, "user_unknown", message)
        if wait := self._buckets.wait(_bucket_of(caller), self._limit):
            details = {"perHour": self._limit.burst}
            message = "too many allocations, queued requests, reservations and extensions"
            raise _too_many("hourly_limit_exceeded", message, wait, details)

    def count(self, caller: Caller, created: int = 1) -> None:
        """Count what a caller has created."""
        if created and not caller.is_admin:
            self._buckets.take(_bucket_of(caller), self._limit, created)


def _bucket_of(caller: Caller) -> str:
    return f"{caller.user_id}/creations"


def _network(address: str) -> str:
    """Return an address, or the first half of an IPv6 address."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:_IPV6_NETWORK_BITS]
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:  # all of these are in one network
            return str(found.ipv4_mapped)
        return str(IPv6Address(int(found) >> _IPV6_NETWORK_BITS << _IPV6_NETWORK_BITS))
    return str(found)


def _too_many(code: str, message: str, wait: float, details: object = None) -> ApiError:
    headers = {"Retry-After": str(math.ceil(wait))}
    return ApiError(HTTPStatus.TOO_MANY_REQUESTS, code, message, details, headers)
