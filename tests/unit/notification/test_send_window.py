"""How many deliveries a dispatcher may send before their results are recorded."""

from threading import Event, Thread

from notification_dispatch.send_window import MAX_SIZE, SendWindow
from tests.support.together import eventually


def test_new_window_admits_the_second_delivery_when_the_first_is_recorded() -> None:
    window, second = SendWindow(), Event()
    window.acquire()

    def send_second() -> None:
        window.acquire()
        second.set()

    thread = Thread(target=send_second)
    thread.start()
    assert not second.is_set()
    window.release(1)

    eventually(second.is_set, "the second is sent")
    thread.join()


def test_window_grows_by_one_for_ten_recorded_in_any_portions() -> None:
    sizes = []
    for portion in (10, 1):
        window = SendWindow(initial_size=3)
        for _ in range(50 // portion):
            window.release(portion)
        sizes.append(window.batch_size)

    assert sizes == [(3 + 5) // 2] * 2


def test_window_grows_with_the_tenth_recorded_and_not_before() -> None:
    window = SendWindow(initial_size=3)

    window.release(9)
    assert window.batch_size == 1
    window.release(1)
    assert window.batch_size == 2


def test_window_that_has_grown_admits_one_delivery_more() -> None:
    window, both = SendWindow(), Event()
    for _ in range(10):
        window.acquire()
        window.release(1)

    def send_two() -> None:
        window.acquire()
        window.acquire()
        both.set()

    Thread(target=send_two, daemon=True).start()

    eventually(both.is_set, "two are sent before one is recorded")


def test_new_window_records_each_result_at_once() -> None:
    assert SendWindow().batch_size == 1


def test_window_has_a_maximum_size() -> None:
    window = SendWindow()
    window.release(10_000)

    assert window.batch_size == MAX_SIZE // 2
