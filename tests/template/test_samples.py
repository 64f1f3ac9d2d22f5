import json
from pathlib import Path

import pytest

from events.bad_samples import BAD
from events.generate import SAMPLES_FOLDER, files, main, mq_event
from events.samples import VALID, Sample
from local.paths import ROOT
from scheduler.messaging.message import Message
from scheduler.messaging.record import decode
from scheduler.messaging.topology import VHOST, WORK_QUEUES

FILES = dict(files())


def messages(sample: Sample) -> list[Message]:
    decoded = [message for _, batch in decode(mq_event(sample)) for message in batch]
    return [message for message in decoded if isinstance(message, Message)]


@pytest.mark.parametrize("path", list(FILES), ids=str)
def test_generated_file_is_up_to_date(path: Path) -> None:
    there = (ROOT / path).read_text("utf-8") if (ROOT / path).exists() else ""

    assert there == FILES[path], f"{path} is stale: run `make generate`"


def test_every_file_belongs_to_a_sample() -> None:
    there = {path.relative_to(ROOT) for path in SAMPLES_FOLDER.rglob("*.json")}

    assert there == {path for path in FILES if path.suffix == ".json" and path.parts[0] == "events"}


def test_every_event_type_has_a_valid_sample() -> None:
    queues = [queue for sample in VALID for queue in sample.queues]

    assert sorted(queues) == sorted(queue.name for queue in WORK_QUEUES)


@pytest.mark.parametrize("sample", [*VALID, *BAD], ids=lambda sample: sample.name)
def test_records_contain_the_published_messages(sample: Sample) -> None:
    assert list(mq_event(sample)["rmqMessagesByQueue"]) == [f"{q}::{VHOST}" for q in sample.queues]
    assert [message.body for message in messages(sample)] == [
        message.body for message in sample.messages
    ]


def printed_message_id(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    main([name])
    (batch,) = json.loads(capsys.readouterr().out)["rmqMessagesByQueue"].values()
    return str(batch[0]["basicProperties"]["messageId"])


def test_printed_copy_has_a_new_message_id(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed_message_id("device-failed", capsys) != printed_message_id(
        "device-failed", capsys
    )


def test_error_for_an_unknown_sample_lists_the_samples() -> None:
    with pytest.raises(SystemExit, match="device-failed"):
        main(["device-exploded"])
