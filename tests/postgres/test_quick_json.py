"""What the quick reader of JSON sees is what the standard one sees."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.postgres.quick_json import loads

VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_any_value_is_read_as_it_was_written(value: Any) -> None:
    assert loads(json.dumps(value)) == value


@pytest.mark.parametrize("text", ["1e400", "9" * 300, '"\\ud800"', '{"a": 1e999}'])
def test_what_it_does_not_take_is_read_by_the_standard_reader(text: str) -> None:
    assert loads(text) == json.loads(text)
