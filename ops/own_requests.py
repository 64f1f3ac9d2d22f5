"""Tells the developer's own HTTP requests from those that another website makes in their browser.

The local servers ask for no login, and a browser lets every page send requests to this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container

HOST_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


def is_own_request(
    host: str, origin: str | None, site: str | None, host_names: Container[str] = HOST_NAMES
) -> bool:
    """Return whether a request comes from a page of the same server, or not from a browser.

    It must be addressed to this machine by name, which excludes rebound DNS names, and if a browser
    states its origin, it must be the same (OWASP CSRF Prevention, "verifying origin").

    Args:
        host: the header ``Host``, with its port.
        origin: the header ``Origin``.
        site: the header ``Sec-Fetch-Site``.
        host_names: the names of this machine.
    """
    if host.rpartition(":")[0] not in host_names:
        return False
    return origin in (None, f"http://{host}") and site in {None, "none", "same-origin"}
