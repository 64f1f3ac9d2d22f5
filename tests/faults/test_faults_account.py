"""The account finds every loss and every doubled effect, on made-up accounts."""

from __future__ import annotations

from collections import Counter

from tests.faults.account import Balance, Effect, Expected, Fate, Promise, Seen, balance

RELEASED: Effect = ("released", "a1")
TOLD: Effect = ("told", "u1", "billing")


def _expected() -> Expected:
    """Two events that release the same device, and two that tell the same user something."""
    return Expected(
        events={"e1", "e2", "p1", "p2"},
        promises=[
            Promise(frozenset({"e1"}), frozenset({RELEASED}), frozenset({("health", "d1", "bad")})),
            Promise(frozenset({"e2"}), frozenset({RELEASED})),
            Promise(frozenset({"p1"}), frozenset({TOLD})),
            Promise(frozenset({"p2"}), frozenset({TOLD})),
            Promise(frozenset({"p1", "p2"}), states=frozenset({("hold", "u1")})),
        ],
        limits=Counter({RELEASED: 1, TOLD: 2}),
        doomed={"m1": Fate.DEAD_LETTER, "i1": Fate.LOGGED},
    )


def _settled(
    effects: dict[Effect, int] | None = None,
    states: frozenset[Effect] = frozenset({("health", "d1", "bad"), ("hold", "u1")}),
    dead: dict[str, str] | None = None,
    logged: frozenset[str] = frozenset({"i1"}),
) -> Balance:
    seen = Seen(
        Counter({RELEASED: 1, TOLD: 2} if effects is None else effects),
        states,
        {"m1": "not JSON"} if dead is None else dead,
        logged,
    )
    return balance(_expected(), frozenset({"e1", "e2", "p1", "p2", "m1", "i1"}), seen)


def test_an_account_that_adds_up_shows_nothing_lost_and_nothing_doubled() -> None:
    assert _settled() == Balance(
        frozenset({"e1", "e2", "p1", "p2"}), frozenset(), Counter(), frozenset()
    )


def test_a_missing_effect_is_a_loss_of_the_event_that_promised_it() -> None:
    assert _settled({RELEASED: 1, TOLD: 1}).lost == {"p1"}
    assert _settled({RELEASED: 1}).lost == {"p1", "p2"}


def test_an_effect_that_two_events_ask_for_is_expected_once() -> None:
    assert _settled({RELEASED: 0, TOLD: 2}).lost == {"e1"}


def test_a_missing_state_is_a_loss() -> None:
    assert _settled(states=frozenset({("hold", "u1")})).lost == {"e1"}


def test_what_several_events_promise_together_is_missed_by_all_of_them() -> None:
    assert _settled(states=frozenset({("health", "d1", "bad")})).lost == {"p1", "p2"}


def test_an_effect_seen_too_often_is_doubled() -> None:
    assert _settled({RELEASED: 2, TOLD: 5}).doubled == Counter({RELEASED: 1, TOLD: 3})


def test_an_effect_nobody_asked_for_is_doubled() -> None:
    stray: Effect = ("released", "a2")

    assert _settled({RELEASED: 1, TOLD: 2, stray: 1}).doubled == Counter({stray: 1})


def test_an_invalid_event_that_is_no_dead_letter_is_lost() -> None:
    assert _settled(dead={}).lost == {"m1"}


def test_an_informational_failure_that_nobody_logged_is_lost() -> None:
    assert _settled(logged=frozenset()).lost == {"i1"}


def test_an_informational_failure_among_the_dead_letters_is_astray_and_not_lost() -> None:
    settled = _settled(dead={"m1": "", "i1": "killed its consumer"}, logged=frozenset())

    assert settled.lost == frozenset()
    assert settled.astray == {"i1"}


def test_a_valid_event_among_the_dead_letters_is_astray_and_not_lost() -> None:
    settled = _settled({RELEASED: 1, TOLD: 1}, dead={"m1": "", "p2": "killed its consumer"})

    assert settled.lost == frozenset()
    assert settled.astray == {"p2"}
    assert settled.applied == {"e1", "e2", "p1"}


def test_the_effect_of_a_dead_letter_may_be_there_all_the_same() -> None:
    settled = _settled(dead={"m1": "", "p2": "killed its consumer"})

    assert not settled.lost
    assert not settled.doubled


def test_an_event_the_broker_never_confirmed_is_not_missed_but_may_have_its_effect() -> None:
    seen = Seen(Counter({RELEASED: 1}), frozenset(), {}, frozenset())

    settled = balance(_expected(), frozenset({"e2"}), seen)

    assert settled.lost == frozenset()
    assert settled.applied == {"e2"}
    assert not settled.doubled
