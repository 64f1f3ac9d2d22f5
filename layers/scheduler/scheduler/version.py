"""The version of the project: the only place that names it."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.2.0"
"""Semantic version; a breaking change of an event's contract increments the major version, or the
minor version while the major version is 0 (https://semver.org, item 4).
"""
