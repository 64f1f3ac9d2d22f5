"""Refusals: each says in a sentence why."""

from __future__ import annotations

from scheduler.domain.refusal import Refusal, RefusedError


def test_each_refusal_has_a_message_of_its_own() -> None:
    messages = {str(RefusedError(refusal)) for refusal in Refusal}

    assert len(messages) == len(Refusal)
    assert all(messages)
