from __future__ import annotations

from threading import Event

from allocation_api.resources.health import run_checks


def test_a_check_that_hangs_is_not_waited_for() -> None:
    released = Event()

    def hang() -> None:
        released.wait()

    results = run_checks({"good": lambda: None, "hanging": hang}, 1.5)

    released.set()
    assert results == {"good": "ok", "hanging": "no answer within 1.5 s"}


def test_checks_run_side_by_side() -> None:
    first, second = Event(), Event()

    def meet(mine: Event, theirs: Event) -> None:
        mine.set()
        assert theirs.wait(10)

    results = run_checks({"a": lambda: meet(first, second), "b": lambda: meet(second, first)}, 20)

    assert results == {"a": "ok", "b": "ok"}


def test_a_failure_is_named_by_its_class_only() -> None:
    def fail() -> None:
        raise ConnectionRefusedError("10.0.0.7:5671 as scheduler")

    assert run_checks({"broker": fail}, 5) == {"broker": "unavailable (ConnectionRefusedError)"}
