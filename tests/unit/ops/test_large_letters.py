"""However large a letter is, results that hold it fit an answer, and texts fit a terminal."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from pika import BasicProperties

from operations.dead_letters.copies import from_copy, to_copy
from operations.dead_letters.describe import describe
from operations.dead_letters.groups import grouped
from operations.dead_letters.letter import DeadLetter
from operations.dead_letters.queue import TakenLetter
from operations.dead_letters.reading import within_result
from ops.tables import body_text, letter_page
from ops.terminal import console
from scheduler.pipeline.envelope import ERROR_HEADER, SOURCE_HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ANSWER: Final = 6_000_000
"""Bytes of an answer of Lambda."""
SIZE: Final = 2_000_000
TABLE: Final = {f"key-{number}": f"value {number}" for number in range(10_000)}
NO_HEADERS: Final[Mapping[str, Any]] = {}
LETTERS: Final = {
    "text": (b"x" * SIZE, NO_HEADERS),
    "JSON": (json.dumps({"reason": "x" * SIZE}).encode(), NO_HEADERS),
    "binary": (os.urandom(SIZE), NO_HEADERS),
    "NUL": (b"\0" * SIZE, NO_HEADERS),
    "escape sequences": (b"\x1b[2J" * (SIZE // 4), NO_HEADERS),
    "Chinese": ("屏".encode() * (SIZE // 3), NO_HEADERS),
    "emoji": ("📱".encode() * (SIZE // 4), NO_HEADERS),
    "deep JSON": (b"[" * 100_000 + b"]" * 100_000, NO_HEADERS),
    "a table in a header": (b"{}", {"trace": TABLE}),
    "many headers": (b"{}", TABLE),
    "an error of a publisher": (b"{}", {ERROR_HEADER: "e" * 100_000}),
}

every_letter = pytest.mark.parametrize("name", LETTERS)


def letter(name: str) -> DeadLetter:
    body, headers = LETTERS[name]
    properties = BasicProperties(message_id="m-1", headers=dict(headers))
    return DeadLetter("scheduler.device-failed.failed", properties, body)


@every_letter
def test_letter_and_its_copy_fit_an_answer(name: str) -> None:
    copy = to_copy(letter(name))

    assert len(json.dumps(describe(letter(name)))) < MAX_ANSWER
    assert len(json.dumps(copy)) < MAX_ANSWER
    assert from_copy(json.loads(json.dumps(copy)), "it").body == letter(name).body


@every_letter
def test_letters_are_shown_while_they_fit_an_answer(name: str) -> None:
    taken = [TakenLetter(letter(name), lambda: None) for _ in range(60)]

    shown = [about for _, about in within_result(taken)]

    assert shown
    assert len(json.dumps(shown)) < MAX_ANSWER


@every_letter
def test_samples_of_a_group_fit_an_answer_and_say_that_they_are_cut(name: str) -> None:
    (group,) = grouped([letter(name)] * 60, samples=50)

    told = group.to_json_with_samples()

    assert len(told["letters"]) == len(told["fingerprints"]) > 0
    assert len(json.dumps(told)) < MAX_ANSWER / 2
    assert {one.get("isCut") for one in told["letters"]} == {True}


@pytest.mark.parametrize("depth", [100, 101, *range(9_980, 10_001)])
def test_nested_letter_can_be_encoded_as_a_part_of_a_result(depth: int) -> None:
    nested = DeadLetter("unknown", BasicProperties(), b"[" * depth + b"]" * depth)

    (group,) = grouped([nested], samples=1)

    assert json.dumps({"result": {"groups": [group.to_json_with_samples()]}})
    assert json.dumps({"result": {"letters": [to_copy(nested)]}})
    assert ("body" in describe(nested)) == (depth <= 100)


@every_letter
def test_text_for_the_terminal_is_short(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    about = describe(letter(name))

    console().print(letter_page(about, datetime.now(UTC)))
    print(body_text(about))

    assert len(capsys.readouterr().out) < 100_000


def test_names_of_a_publisher_are_cut() -> None:
    headers = {SOURCE_HEADER: "q" * 100_000, ERROR_HEADER: "e" * 100_000}
    forged = DeadLetter("unknown", BasicProperties(headers=headers), b"{}")

    assert (len(forged.source_queue), len(forged.error)) == (255, 1000)
