"""`ConfirmWindow`, for confirms in any order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scheduler.messaging.outbound import ConfirmWindow, OutboundMessage

_CONFIRMS = st.lists(st.tuples(st.integers(0, 30), st.booleans()))


def messages(count: int) -> list[OutboundMessage]:
    return [OutboundMessage("", "q", b"", {"message_id": f"m-{n}"}) for n in range(count)]


@given(count=st.integers(0, 20), before=st.integers(0, 10), confirms=_CONFIRMS)
def test_window_knows_which_messages_are_confirmed(
    count: int, before: int, confirms: list[tuple[int, bool]]
) -> None:
    sent = messages(count)
    window = ConfirmWindow(sent, before)
    confirmed: set[int] = set()
    for number, multiple in confirms:
        window.confirm(number, multiple=multiple)
        confirmed.update(range(number + 1) if multiple else [number])

    left = [one for n, one in enumerate(sent, before + 1) if n not in confirmed]
    assert window.complete == (not left)
    assert window.unconfirmed(before + count, multiple=True) == left
    assert window.confirmed_in_order == (sent.index(left[0]) if left else count)


def test_refusal_refers_to_one_message_or_to_all_up_to_it() -> None:
    sent = messages(4)
    window = ConfirmWindow(sent, 10)
    window.confirm(12, multiple=False)

    assert window.unconfirmed(13, multiple=False) == [sent[2]]
    assert window.unconfirmed(13, multiple=True) == [sent[0], sent[2]]
    assert window.unconfirmed(12, multiple=False) == []
    assert window.unconfirmed(10, multiple=True) == []
