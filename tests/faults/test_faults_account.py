"""The account finds every difference between what is observed and what may be."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.account import Observed, difference, settle_account
from tests.faults.model import EFFECTS, Facts
from tests.faults.outcomes import outcomes
from tests.faults.scenarios import workload
from tests.faults.workload import DrillWorkload, FailureOutcome

KINDS = frozenset({"user", "hold", "device", "holds", "waiting", "mark", "erased"}) | EFFECTS


@pytest.fixture(scope="module")
def load() -> DrillWorkload:
    made = workload(1, 200)
    for home in made.households:
        home.identified = True
    return made


@pytest.fixture(scope="module")
def perfect(load: DrillWorkload) -> Facts:
    """One of the states that each household may end in."""
    facts: Facts = {}
    for home in load.households:
        facts |= outcomes(home)[-1]
    return facts


def observed(load: DrillWorkload, facts: Facts, **more: frozenset[str]) -> Observed:
    dead = {key: "" for key, end in load.rejected.items() if end is FailureOutcome.DEAD_LETTER}
    return Observed(facts, dead, logged=frozenset(load.rejected.keys() - dead.keys()), **more)


def test_any_state_that_the_model_allows_is_perfect(load: DrillWorkload, perfect: Facts) -> None:
    balance = settle_account(load, observed(load, perfect))

    assert balance.is_perfect, str(balance.certain)
    assert balance.applied + balance.outdated + len(load.rejected) == load.distinct
    assert {fact[0] for fact in perfect} == KINDS


def test_suspending_everybody_and_breaking_all_devices_is_wrong(
    load: DrillWorkload, perfect: Facts
) -> None:
    tampered = dict(perfect)
    for fact, value in perfect.items():
        if fact[0] == "user":
            tampered[fact] = ("suspended", *value[1:])
        if fact[0] == "device":
            tampered[fact] = (value[0], "failed", *value[2:])

    found = settle_account(load, observed(load, tampered)).certain

    assert len(found.wrong) > 50


@pytest.mark.parametrize("kind", sorted(EFFECTS))
def test_missing_effect_is_lost_and_an_effect_too_many_is_doubled(
    kind: str, load: DrillWorkload, perfect: Facts
) -> None:
    fact = next(one for one in perfect if one[0] == kind)

    without = {one: value for one, value in perfect.items() if one != fact}
    twice = {**perfect, fact: perfect[fact] + 1}

    assert settle_account(load, observed(load, without)).certain
    assert settle_account(load, observed(load, twice)).certain
    assert difference(perfect, without).lost == Counter({fact: perfect[fact]})
    assert difference(perfect, twice).doubled == Counter({fact: 1})


@pytest.mark.parametrize("kind", sorted(KINDS - EFFECTS))
def test_missing_or_changed_value_is_wrong(kind: str, load: DrillWorkload, perfect: Facts) -> None:
    fact = next(one for one in perfect if one[0] == kind)

    without = {one: value for one, value in perfect.items() if one != fact}
    changed = {**perfect, fact: "changed"}

    assert settle_account(load, observed(load, without)).certain
    assert settle_account(load, observed(load, changed)).certain.wrong.keys() == {fact}


def test_fact_of_no_household_is_reported(load: DrillWorkload, perfect: Facts) -> None:
    stray = ("notified", "somebody", "device_released:a1")

    found = settle_account(load, observed(load, {**perfect, stray: 1})).certain

    assert found.doubled == Counter({stray: 1})


def test_differences_of_events_without_id_are_listed_apart() -> None:
    load = workload(1, 300, faulty=False)
    home = next(one for one in load.households if not one.identified)
    facts = {fact: value for one in load.households for fact, value in outcomes(one)[0].items()}
    del facts["processed", home.events[0].id, home.events[0].queue, "applied"]

    balance = settle_account(load, observed(load, facts))

    assert not balance.certain
    assert balance.without_id.lost.total() == 1


def test_household_with_an_event_of_unknown_number_is_left_out() -> None:
    load = workload(1, 300, faulty=False)
    home = next(one for one in load.households if not one.identified)
    others = [one for one in load.households if one is not home]
    facts = {fact: value for one in others for fact, value in outcomes(one)[0].items()}

    balance = settle_account(load, observed(load, facts, ambiguous=frozenset({home.events[0].key})))

    assert balance.left_out == 1
    assert not balance.certain
    assert not balance.without_id


def test_invalid_event_without_a_dead_letter_or_log_is_lost(
    load: DrillWorkload, perfect: Facts
) -> None:
    balance = settle_account(load, Observed(perfect, dead={}, logged=frozenset()))

    assert balance.certain.lost == Counter({("rejected", key): 1 for key in load.rejected})


def test_valid_event_among_the_dead_letters_is_wrongly_rejected(
    load: DrillWorkload, perfect: Facts
) -> None:
    found = observed(load, perfect)
    key = min(load.valid)

    balance = settle_account(load, Observed(perfect, {**found.dead, key: ""}, found.logged))

    assert balance.wrongly_rejected == {key}
    assert not balance.is_perfect


def test_broken_rule_is_wrong(load: DrillWorkload, perfect: Facts) -> None:
    balance = settle_account(load, observed(load, perfect, broken_rules=frozenset({"a rule"})))

    assert balance.certain.wrong.keys() == {("a rule",)}
