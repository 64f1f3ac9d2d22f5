"""A pass over a long queue takes several calls, and sees each letter once."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from operations import catalogue
from operations.context import OperationContext
from operations.dead_letters import calls as dead_letters
from operations.dead_letters import discarding, queue, reading
from operations.dead_letters.passes import Position
from operations.errors import InvalidInputError, OpsError
from ops.backup import Backup
from ops.interface import calls
from ops.long_queue import discard, read_groups
from scheduler.deadline import Deadline
from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.integration.ops.letters import Broker, letter, numbered
from tests.integration.ops.test_continued_calls import FAILED, NoTime
from tests.integration.ops.test_dead_letters_reading import opened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

IDS = numbered(range(23))
EVENTS = ("device.failed", "user.suspended")
UNTIL = {"until": "2999-01-01T00:00:00Z"}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of three letters; a call has time for one, and a queue is long with two letters."""
    monkeypatch.setattr(queue, "_SHORT_REST", 1)
    for module, name in ((dead_letters, "SMALL_BLOCK"), (dead_letters, "COPIED_BLOCK")):
        monkeypatch.setattr(module, name, 3)
    monkeypatch.setattr(discarding, "COPIED_BLOCK", 3)
    monkeypatch.setattr(discarding, "MAX_COPIES", 3)
    monkeypatch.setattr(reading, "BLOCK_SIZE", 3)


@pytest.fixture(params=[0, 7, 23], ids=["unread", "partly read", "read"])
def operations(broker: Broker, request: pytest.FixtureRequest) -> NoTime:
    """A queue of which somebody has read no letter, the first ones, or all."""
    read = request.param
    made = [letter(EVENTS[number % 2], id=id_) for number, id_ in enumerate(IDS)]
    if read:
        broker.publish(*made[:read])
        context = OperationContext(lambda: broker.url, lambda: "")
        catalogue.run("dead-letters.list", {}, context)
    broker.publish(*made[read:])
    return NoTime(broker)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("user.suspendd", "did you mean user.suspended?"), ("nonsense", "there are device.failed")],
)
@pytest.mark.parametrize("operation", ["list", "show", "preview", "discard"])
def test_name_of_no_queue_is_refused_when_all_letters_were_read(
    operations: NoTime, operation: str, name: str, hint: str
) -> None:
    chosen = {"queues": ["user.suspended", name]} | (UNTIL if operation == "discard" else {})
    if operation == "show":  # it ends with the first letter
        chosen["queues"] = [name]

    with pytest.raises(InvalidInputError, match=re.escape(hint)):
        list(calls(operations, f"dead-letters.{operation}", chosen))


def test_queue_of_others_is_known_if_one_of_its_letters_was_read_in_an_earlier_call(
    broker: Broker,
) -> None:
    about = {"message_id": "m-0", "headers": {"x-source-queue": "their.queue"}}
    broker.publish(OutboundMessage("", DEAD_LETTER_QUEUE, b"{}", about))
    broker.publish(*(letter(id=id_) for id_ in IDS))

    found = read_groups(NoTime(broker), {"queues": ["their.queue", "device.failed"]})

    assert (found["total"], found["matched"]) == (24, 24)


def test_groups_of_all_calls_are_joined(operations: NoTime) -> None:
    told: list[int] = []

    whole = read_groups(operations, {"samples": 2}, told.append)

    assert [group["count"] for group in whole["groups"]] == [12, 11]
    assert [len(group["letters"]) for group in whole["groups"]] == [2, 2]
    assert (whole["total"], whole["complete"], told[-1]) == (23, True, 23)
    assert len(told) > 3
    assert sorted(operations.broker.ids(DEAD_LETTER_QUEUE)) == IDS


def test_each_letter_is_shown_once_until_one_is_found(operations: NoTime) -> None:
    results = list(calls(operations, "dead-letters.show", {"ids": [IDS[20]]}))

    assert [len(one["letters"]) for one in results][-2:] == [0, 1]
    assert sorted(operations.broker.ids(DEAD_LETTER_QUEUE)) == IDS


def test_selected_letters_are_replayed_in_order_and_the_others_keep_theirs(
    operations: NoTime,
) -> None:
    *_, last = calls(operations, "dead-letters.replay", {"queues": ["device.failed"]})

    assert last["replayed"] == 12
    assert operations.broker.ids(FAILED) == IDS[::2]
    assert operations.broker.ids(DEAD_LETTER_QUEUE) == IDS[1::2]


def test_all_letters_are_discarded(operations: NoTime, tmp_path: Path) -> None:
    with Backup(tmp_path / "copies") as backup:
        counts = list(discard(operations, UNTIL, backup))

    assert counts[-1][:2] == (23, 23)
    assert len((tmp_path / "copies").read_text().splitlines()) == 23
    assert operations.broker.depth(DEAD_LETTER_QUEUE) == 0


def test_letters_that_arrive_meanwhile_are_not_seen(operations: NoTime) -> None:
    seen = Counter[str]()
    for number, result in enumerate(calls(operations, "dead-letters.discard", UNTIL)):
        seen.update(one["id"] for one in result["letters"])
        operations.broker.publish(letter(id=f"new-{number:04}"))

    assert seen == Counter(IDS)


@pytest.mark.parametrize("read", [0, 23])
def test_letters_have_their_order_again_after_the_last_call(broker: Broker, read: int) -> None:
    broker.publish(*(letter(id=id_) for id_ in IDS))
    if read:
        catalogue.run("dead-letters.list", {}, OperationContext(lambda: broker.url, lambda: ""))

    read_groups(NoTime(broker), {})

    assert broker.ids(DEAD_LETTER_QUEUE) == IDS


def test_too_little_time_for_a_single_letter_is_an_error(operations: NoTime) -> None:
    context = OperationContext(
        lambda: operations.broker.url,
        lambda: "",
        deadline=Deadline(0),
        last_moment=Deadline(0),
    )

    with pytest.raises(Exception, match="only a part of the 23 dead letters"):
        catalogue.run("dead-letters.list", {}, context)


class Switched(Deadline):
    """A deadline that passes when a test says so."""

    over = False

    @property
    def passed(self) -> bool:
        return self.over


def test_call_that_ends_amid_letters_of_earlier_calls_has_no_position(broker: Broker) -> None:
    broker.publish(*(letter(id=id_) for id_ in IDS))
    last_moment = Switched(Deadline(0).at)
    context = OperationContext(lambda: broker.url, lambda: "", last_moment=last_moment)
    with reading.passing(context, None) as before:
        moved = [one.letter.fingerprint.hex() for one in before.letters()][4]

    def go_on() -> None:
        position = Position(left=13, first=moved, moved=10)
        with reading.passing(context, position) as continued:
            for number, _ in enumerate(continued.letters()):
                last_moment.over = number == 3

    with pytest.raises(OpsError, match="only a part of the 23 dead letters"):
        go_on()
    assert sorted(broker.ids(DEAD_LETTER_QUEUE)) == IDS


class NoTimeToRemove(NoTime):
    """Operations whose time is over before a letter is removed."""

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if not arguments.get("remove"):
            return super().call(operation, arguments)
        over = Deadline(0)
        context = OperationContext(lambda: self.broker.url, lambda: "", last_moment=over)
        return catalogue.run(operation, arguments, context)


def test_discard_says_that_stored_letters_were_not_removed(broker: Broker, tmp_path: Path) -> None:
    broker.publish(*(letter(id=id_) for id_ in IDS))

    with (
        Backup(tmp_path / "copies") as backup,
        pytest.raises(OpsError, match="23 of the copied letters are still in the queue"),
    ):
        list(discard(NoTimeToRemove(broker), UNTIL, backup))


def test_letters_that_another_program_holds_at_the_end_are_counted(broker: Broker) -> None:
    broker.publish(*(letter(id=id_) for id_ in IDS))
    results = calls(NoTime(broker), "dead-letters.replay", {})
    next(results)

    with opened(broker) as other:
        assert len(list(other.letters())) == 20
        *_, last = results

    assert (last["replayed"], last["held"]) == (3, 20)
