from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation_api.errors import ApiError
from allocation_api.pages import decode_cursor, paginate


def test_the_last_page_has_no_cursor() -> None:
    assert paginate(["a", "b"], 2, lambda row: (row,)) == (["a", "b"], None)
    assert paginate([], 2, lambda row: (row,)) == ([], None)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=3))
def test_a_cursor_encodes_the_position_of_the_last_row(position: list[str]) -> None:
    rows, cursor = paginate([position, ["beyond"]], 1, lambda row: row)

    assert rows == [position]
    assert cursor
    assert decode_cursor(cursor, len(position)) == position


OTHER_CONTENTS: tuple[object, ...] = ({}, "a", [], ["a", "b"], [1], [None], [["a"]], None)


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "not base64",
        "用户",
        base64.urlsafe_b64encode(b"\xff").decode(),
        *(
            base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
            for content in OTHER_CONTENTS
        ),
    ],
)
def test_a_cursor_of_another_list_is_refused(cursor: str) -> None:
    with pytest.raises(ApiError) as refused:
        decode_cursor(cursor, parts=1)

    assert refused.value.status == 422
    assert "query.cursor" in str(refused.value.details)


@given(st.text(max_size=50))
def test_any_text_is_decoded_or_refused(cursor: str) -> None:
    try:
        decode_cursor(cursor, parts=1)
    except ApiError as refused:
        assert refused.status == 422  # noqa: PT017 - a readable cursor is no failure
