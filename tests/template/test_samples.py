import json
from pathlib import Path

import pytest

from events.generate import FOLDER, files, main, mq_event
from events.table.bad import BAD
from events.table.message import Sample
from events.table.valid import VALID
from scheduler.messaging.message import Message
from scheduler.messaging.record import decode
from scheduler.messaging.topology import VHOST, WORK_QUEUES

FILES = dict(files())


def messages(sample: Sample) -> list[Message]:
    decoded = [message for _, batch in decode(mq_event(sample)) for message in batch]
    return [message for message in decoded if isinstance(message, Message)]


@pytest.mark.parametrize("path", list(FILES), ids=str)
def test_a_file_says_what_the_table_says(path: Path) -> None:
    assert (FOLDER / path).read_text("utf-8") == FILES[path], "run python -m events.generate"


def test_no_file_is_left_from_an_earlier_table() -> None:
    there = {path.relative_to(FOLDER) for path in FOLDER.rglob("*.json")}

    assert there == {path for path in FILES if path.suffix == ".json"}


def test_every_event_type_has_its_valid_sample() -> None:
    queues = [queue for sample in VALID for queue in sample.queues]

    assert sorted(queues) == sorted(queue.name for queue in WORK_QUEUES)


@pytest.mark.parametrize("sample", [*VALID, *BAD], ids=lambda sample: sample.name)
def test_the_record_carries_what_the_publisher_sent(sample: Sample) -> None:
    assert list(mq_event(sample)["rmqMessagesByQueue"]) == [f"{q}::{VHOST}" for q in sample.queues]
    assert [message.body for message in messages(sample)] == [
        delivery.body for delivery in sample.deliveries
    ]


def printed_message_id(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    main([name])
    (batch,) = json.loads(capsys.readouterr().out)["rmqMessagesByQueue"].values()
    return str(batch[0]["basicProperties"]["messageId"])


def test_a_printed_copy_has_a_message_id_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed_message_id("device-failed", capsys) != printed_message_id(
        "device-failed", capsys
    )


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(SystemExit, match="device-failed"):
        main(["device-exploded"])
