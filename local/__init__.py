"""The whole platform on one machine: servers, event source mappings, gateway, console."""

from __future__ import annotations


class LocalError(Exception):
    """An error that the user can fix; the message names the cause and the fix in one line."""
