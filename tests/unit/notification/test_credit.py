"""How much a dispatcher may send before it is recorded."""

from threading import Event, Thread

from notification_dispatch.credit import MOST, Credit
from tests.support.together import eventually


def test_one_that_has_just_begun_waits_until_its_first_is_recorded() -> None:
    credit, second = Credit(), Event()
    credit.take()

    def send_again() -> None:
        credit.take()
        second.set()

    thread = Thread(target=send_again)
    thread.start()
    assert not second.is_set()
    credit.give_back(1)

    eventually(second.is_set, "the second is sent")
    thread.join()


def test_ten_recorded_earn_one_more_however_they_come() -> None:
    halves = []
    for portion in (10, 1):
        credit = Credit(first=3)
        for _ in range(50 // portion):
            credit.give_back(portion)
        halves.append(credit.half)

    assert halves == [(3 + 5) // 2] * 2


def test_there_is_a_most() -> None:
    credit = Credit()
    credit.give_back(10_000)

    assert credit.half == MOST // 2
