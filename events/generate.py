"""Writes the samples and the lists of events in templates and documents, or prints one sample.

Without arguments all files are written. With the name of a sample, a copy with new message ids is
printed: messages with ids that were processed before would be duplicates.
"""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from events import texts
from events.api_requests import REQUESTS, sample_event
from events.bad_samples import BAD
from events.contracts.files import contract_files
from events.lists import files_with_lists
from events.readme import with_samples
from events.samples import VALID
from local.event_source_mapping.record import event_json, record_json
from local.paths import ROOT
from scheduler.messaging.topology import VHOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.samples import Sample, SampleMessage

SAMPLES_FOLDER: Final = Path(__file__).parent


def mq_event(sample: Sample) -> dict[str, Any]:
    """Return the invocation event of a sample, built by the local event source mapping."""
    whole: dict[str, Any] = {"rmqMessagesByQueue": {}}
    for queue in sample.queues:
        messages = [message for message in sample.messages if message.queue == queue]
        one = json.loads(event_json(queue, VHOST, map(_record, messages)))
        whole = one | {
            "rmqMessagesByQueue": whole["rmqMessagesByQueue"] | one["rmqMessagesByQueue"]
        }
    return whole


def _record(message: SampleMessage) -> bytes:
    return record_json(message.properties, message.body, redelivered=False)


def files() -> Iterator[tuple[Path, str]]:
    """Yield the path of each generated file, relative to the repository, and its content."""
    folder = SAMPLES_FOLDER.relative_to(ROOT)
    for sample in VALID:
        yield folder / f"{sample.name}.json", _pretty(mq_event(sample))
    for sample in BAD:
        yield folder / "bad" / f"{sample.name}.json", _pretty(mq_event(sample))
    for request in REQUESTS:
        yield folder / "api" / f"{request.name}.json", _pretty(sample_event(request))
    readme = folder / "README.md"
    yield readme, with_samples((ROOT / readme).read_text("utf-8"))
    yield from files_with_lists()
    yield Path("docs/texts.md"), texts.page()
    yield from contract_files()


def _with_new_ids(sample: Sample) -> Sample:
    return replace(sample, messages=tuple(map(_with_new_id, sample.messages)))


def _with_new_id(message: SampleMessage) -> SampleMessage:
    properties = copy.copy(message.properties)
    properties.message_id = str(uuid4())
    return replace(message, properties=properties)


def _pretty(event: dict[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, indent=2) + "\n"


def main(arguments: list[str]) -> None:
    """Write all files, or print a copy of the sample that the argument names.

    Raises:
        SystemExit: there is no sample with that name.
    """
    if not arguments:
        for path, content in files():
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(content, "utf-8")
        return
    samples = {sample.name: sample for sample in (*VALID, *BAD)}
    if arguments[0] not in samples:
        sys.exit(f"unknown sample {arguments[0]!r}; the samples are {', '.join(samples)}")
    print(_pretty(mq_event(_with_new_ids(samples[arguments[0]]))), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
