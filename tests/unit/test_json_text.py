"""JSON text means the same as that of the standard library, whichever encoder makes it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from scheduler.json_text import json_text

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=())),  # lone surrogates as well
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_text_is_read_back_as_the_same_value(value: object) -> None:
    assert json.loads(json_text(value)) == value


def test_text_is_compact_and_not_escaped() -> None:
    assert json_text({"reason": "设备 é 🙂", "list": [1, None]}) == (
        '{"reason":"设备 é 🙂","list":[1,null]}'
    )


def test_amounts_and_other_types_become_text() -> None:
    assert json_text([Decimal("150.50"), ValueError("why"), datetime(2026, 1, 2, tzinfo=UTC)]) == (
        '["150.50","why","2026-01-02T00:00:00Z"]'
    )


def test_what_the_fast_encoder_refuses_is_encoded_nevertheless() -> None:
    deep: list[object] = []
    for _ in range(500):
        deep = [deep]

    assert json.loads(json_text(["\ud800", deep])) == ["\ud800", deep]
    assert json_text([b"\xff"]) == "[\"b'\\\\xff'\"]"
