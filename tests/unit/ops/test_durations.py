"""Durations that operators write."""

from datetime import timedelta

import pytest

from operations.errors import InvalidInputError
from ops.durations import parse_duration, parse_length


@pytest.mark.parametrize(
    ("given", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604_800), ("0s", 0)]
)
def test_duration_is_a_number_and_a_unit(given: str, seconds: int) -> None:
    assert parse_duration(given) == timedelta(seconds=seconds)


@pytest.mark.parametrize("given", ["", "5", "5x", "-5m", "1h30m", "999999d"])
def test_other_text_is_refused(given: str) -> None:
    with pytest.raises(InvalidInputError, match="is not a duration; write 90s"):
        parse_duration(given)


def test_nothing_lasts_no_time() -> None:
    with pytest.raises(InvalidInputError, match="no time at all; write 90s"):
        parse_length("0m")
