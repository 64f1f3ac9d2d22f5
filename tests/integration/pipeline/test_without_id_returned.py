"""Messages without an id that come back although their run ended: its acknowledgement was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.pipeline.unnamed import again, payment
from tests.support.events import message
from tests.support.world import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.pipeline.crashing import CrashingCounter
    from tests.support.functions import Functions


def test_batch_whose_acknowledgement_is_lost_is_recognised_in_other_batches(
    new_environment: Callable[[], Functions], counter: CrashingCounter
) -> None:
    """The broker, or the function just before it returns, dies when the end is noted."""
    sent = [payment(id_) for id_ in ("u1", "u2", "u1", "u3")]
    assert new_environment().handle(*sent) == {"success": 4}

    other = again(message("billing.payment_failed", userId="u4"))
    first = new_environment().handle(other, again(sent[2]), again(sent[3]))
    second = new_environment().handle(other, again(sent[0]), again(sent[1]), payment("u2"))

    assert first == {"success": 1, "duplicate": 2}
    assert second == {"success": 1, "duplicate": 3}
    assert [counter.current(f"u{n}", NOW) for n in range(1, 5)] == [2, 2, 1, 1]


def test_equal_message_next_to_a_new_one_is_not_taken_for_one_whose_run_ended(
    new_environment: Callable[[], Functions], counter: CrashingCounter
) -> None:
    """What was next to it then is delivered for the first time now, so it is another one."""
    assert new_environment().handle(payment("u2"), payment()) == {"success": 2}

    other = again(message("billing.payment_failed", userId="u4"))
    assert new_environment().handle(other, payment("u2"), again(payment())) == {"success": 3}

    assert [counter.current(id_, NOW) for id_ in ("u1", "u2")] == [2, 2]


def test_message_that_comes_back_apart_from_its_neighbours_is_taken_for_a_new_one(
    new_environment: Callable[[], Functions], counter: CrashingCounter
) -> None:
    """An equal one that no run has seen looks the same; rather twice than not at all."""
    assert new_environment().handle(payment("u2"), payment()) == {"success": 2}
    other = again(message("billing.payment_failed", userId="u3"))

    assert new_environment().handle(other, again(payment())) == {"success": 2}

    assert counter.current("u1", NOW) == 2


def test_new_message_that_begins_its_batch_like_an_equal_one_is_taken_for_that(
    new_environment: Callable[[], Functions], counter: CrashingCounter
) -> None:
    """Its consumer died before it was invoked, and the equal one was acknowledged."""
    assert new_environment().handle(payment()) == {"success": 1}

    assert new_environment().handle(again(payment()), payment("u2")) == {
        "duplicate": 1,
        "success": 1,
    }

    assert counter.current("u1", NOW) == 1
