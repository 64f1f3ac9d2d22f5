"""Hypothesis strategies for what nobody should send but somebody will."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

texts: Final = st.text(st.characters(exclude_categories=()), max_size=20)
"""Any text, lone surrogates and NUL included."""

scalars: Final = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**30])
    | st.floats()
    | texts
)

json_values: Final = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
"""Any JSON value as Python reads it, NaN and infinities included."""
