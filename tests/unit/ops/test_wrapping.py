"""Text in a terminal: Chinese characters are two columns wide and have no spaces between them."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from ops.terminal import wrapped

REASON = "Device failure: 屏幕黑了，用户看不到任何东西，请立即处理这个设备的故障，谢谢。"


@pytest.mark.parametrize("columns", range(30, 60))
def test_chinese_text_fits_the_terminal(columns: int) -> None:
    lines = wrapped(REASON, " " * 10, at_most=columns)

    assert max(map(cell_len, lines)) <= columns
    assert all(line[:10].isspace() for line in lines)
    assert not any(line.lstrip().startswith(("，", "。")) for line in lines)
    assert "".join(line[10:] for line in lines).replace(" ", "") == REASON.replace(" ", "")


def test_ids_stay_whole_and_lines_break_at_spaces() -> None:
    id_ = "m" * 40

    assert wrapped(f"message {id_}, queue q", "  ", at_most=20) == [
        "  message",
        f"  {id_},",
        "  queue q",
    ]
