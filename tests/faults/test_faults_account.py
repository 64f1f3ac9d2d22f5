"""The account finds every lost event and every doubled effect."""

from __future__ import annotations

from collections import Counter

from tests.faults.account import (
    DrillBalance,
    Effect,
    Expectation,
    Expected,
    FailureOutcome,
    Observed,
    settle_account,
)

RELEASED: Effect = ("released", "a1")
NOTIFIED: Effect = ("notified", "u1", "billing")


def _expected() -> Expected:
    """Two events that release the same device, and two that notify the same user."""
    return Expected(
        events={"e1", "e2", "p1", "p2"},
        expectations=[
            Expectation(
                frozenset({"e1"}), frozenset({RELEASED}), frozenset({("health", "d1", "bad")})
            ),
            Expectation(frozenset({"e2"}), frozenset({RELEASED})),
            Expectation(frozenset({"p1"}), frozenset({NOTIFIED})),
            Expectation(frozenset({"p2"}), frozenset({NOTIFIED})),
            Expectation(frozenset({"p1", "p2"}), states=frozenset({("hold", "u1")})),
        ],
        limits=Counter({RELEASED: 1, NOTIFIED: 2}),
        rejected={"m1": FailureOutcome.DEAD_LETTER, "i1": FailureOutcome.LOGGED},
    )


def _settled(
    effects: dict[Effect, int] | None = None,
    states: frozenset[Effect] = frozenset({("health", "d1", "bad"), ("hold", "u1")}),
    dead: dict[str, str] | None = None,
    logged: frozenset[str] = frozenset({"i1"}),
) -> DrillBalance:
    observed = Observed(
        Counter({RELEASED: 1, NOTIFIED: 2} if effects is None else effects),
        states,
        {"m1": "not JSON"} if dead is None else dead,
        logged,
    )
    return settle_account(_expected(), frozenset({"e1", "e2", "p1", "p2", "m1", "i1"}), observed)


def test_expected_effects_are_neither_lost_nor_doubled() -> None:
    assert _settled() == DrillBalance(
        applied=frozenset({"e1", "e2", "p1", "p2"}),
        lost=frozenset(),
        doubled=Counter(),
        lost_without_id=frozenset(),
        doubled_without_id=Counter(),
        wrongly_rejected=frozenset(),
    )


def test_event_with_a_missing_effect_is_lost() -> None:
    assert _settled({RELEASED: 1, NOTIFIED: 1}).lost == {"p1"}
    assert _settled({RELEASED: 1}).lost == {"p1", "p2"}


def test_effect_of_two_events_is_expected_once() -> None:
    assert _settled({RELEASED: 0, NOTIFIED: 2}).lost == {"e1"}


def test_event_with_a_missing_state_is_lost() -> None:
    assert _settled(states=frozenset({("hold", "u1")})).lost == {"e1"}


def test_missing_state_of_several_events_makes_all_of_them_lost() -> None:
    assert _settled(states=frozenset({("health", "d1", "bad")})).lost == {"p1", "p2"}


def test_effect_above_its_limit_is_doubled() -> None:
    assert _settled({RELEASED: 2, NOTIFIED: 5}).doubled == Counter({RELEASED: 1, NOTIFIED: 3})


def test_doubled_effect_of_an_event_without_id_is_listed_apart() -> None:
    expected = _expected()
    expected.per_event["p1"] = [NOTIFIED]
    expected.without_id.add("p1")
    observed = Observed(
        Counter({RELEASED: 2, NOTIFIED: 3}), frozenset(), {"m1": "not JSON"}, frozenset({"i1"})
    )

    settled = settle_account(expected, frozenset(), observed)

    assert settled.doubled == Counter({RELEASED: 1})
    assert settled.doubled_without_id == Counter({NOTIFIED: 1})


def test_lost_event_without_id_is_listed_apart() -> None:
    expected = _expected()
    expected.without_id.add("p1")
    observed = Observed(Counter(), frozenset(), {"m1": "not JSON"}, frozenset({"i1"}))

    settled = settle_account(expected, frozenset({"e1", "p1"}), observed)

    assert settled.lost == {"e1"}
    assert settled.lost_without_id == {"p1"}


def test_unexpected_effect_is_doubled() -> None:
    stray: Effect = ("released", "a2")

    assert _settled({RELEASED: 1, NOTIFIED: 2, stray: 1}).doubled == Counter({stray: 1})


def test_invalid_event_without_a_dead_letter_is_lost() -> None:
    assert _settled(dead={}).lost == {"m1"}


def test_failed_informational_event_without_a_log_is_lost() -> None:
    assert _settled(logged=frozenset()).lost == {"i1"}


def test_dead_letter_of_an_informational_event_is_wrongly_rejected_but_not_lost() -> None:
    settled = _settled(dead={"m1": "", "i1": "killed its consumer"}, logged=frozenset())

    assert settled.lost == frozenset()
    assert settled.wrongly_rejected == {"i1"}


def test_dead_letter_of_a_valid_event_is_wrongly_rejected_but_not_lost() -> None:
    settled = _settled({RELEASED: 1, NOTIFIED: 1}, dead={"m1": "", "p2": "killed its consumer"})

    assert settled.lost == frozenset()
    assert settled.wrongly_rejected == {"p2"}
    assert settled.applied == {"e1", "e2", "p1"}


def test_dead_letter_may_have_had_its_effect() -> None:
    settled = _settled(dead={"m1": "", "p2": "killed its consumer"})

    assert not settled.lost
    assert not settled.doubled


def test_unconfirmed_event_is_not_lost_but_may_have_its_effect() -> None:
    observed = Observed(Counter({RELEASED: 1}), frozenset(), {}, frozenset())

    settled = settle_account(_expected(), frozenset({"e2"}), observed)

    assert settled.lost == frozenset()
    assert settled.applied == {"e2"}
    assert not settled.doubled
