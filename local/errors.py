"""Errors a person can act on."""

from __future__ import annotations


class LocalError(Exception):
    """Something the user can fix; the message says what and how, in one line."""
