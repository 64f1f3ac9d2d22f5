"""The version of the project: the only place that names it."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.2.0"
"""Semantic version; a breaking change of an event's contract raises the first number.

While that is 0, the second number counts as the first (https://semver.org, item 4).
"""
