"""The one source of chance: everything a drill decides follows from its seed."""

from __future__ import annotations

from random import Random


def seeded(seed: int, *parts: object) -> Random:
    """Return a generator that is the same for the same seed and parts, in every process."""
    return Random("/".join(map(str, (seed, *parts))))  # noqa: S311 - repeatable, no secret
