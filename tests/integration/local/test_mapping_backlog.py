"""A batch is due at its size, at 6 MB, or when the window has passed."""

from __future__ import annotations

from local.event_source_mapping.batch import RECORDS_LIMIT, BatchQueue, DeliveredRecord


def _backlog(records: list[bytes], size: int = 100, window: float = 0.5) -> BatchQueue:
    backlog = BatchQueue(size, window)
    for tag, record in enumerate(records, 1):
        backlog.add(DeliveredRecord(tag, record, arrived=10.0))
    return backlog


def _sizes(backlog: BatchQueue) -> list[int]:
    sizes = []
    while backlog.seconds_until_due(0) is not None:
        sizes.append(len(backlog.take()))
    return sizes


def test_empty_backlog_is_never_due() -> None:
    assert _backlog([]).seconds_until_due(10) is None


def test_batch_is_due_when_the_window_of_its_first_record_has_passed() -> None:
    backlog = _backlog([b"{}"])
    backlog.add(DeliveredRecord(2, b"{}", arrived=10.4))

    assert backlog.seconds_until_due(10.0) == 0.5
    assert backlog.seconds_until_due(10.6) == 0


def test_full_batch_is_due_immediately() -> None:
    assert _backlog([b"{}"] * 3, size=3, window=300).seconds_until_due(10) == 0


def test_batch_never_exceeds_its_size_and_keeps_the_order() -> None:
    backlog = _backlog([b"{}"] * 7, size=3)

    assert [record.tag for record in backlog.take()] == [1, 2, 3]
    assert _sizes(backlog) == [3, 1]


def test_more_than_six_megabytes_are_due_immediately_and_split() -> None:
    third = b"x" * (RECORDS_LIMIT // 3)
    backlog = _backlog([third] * 4, window=300)

    assert backlog.seconds_until_due(10) == 0
    assert len(backlog.take()) == 2
    assert backlog.seconds_until_due(10) == 300


def test_record_of_the_maximum_size_is_a_batch_of_its_own() -> None:
    whole = b"x" * (RECORDS_LIMIT - 1)

    assert _sizes(_backlog([b"{}", whole, b"{}"])) == [1, 1, 1]


def test_cleared_backlog_is_empty() -> None:
    backlog = _backlog([b"{}"] * 3, size=3)
    backlog.clear()

    assert backlog.seconds_until_due(10) is None
