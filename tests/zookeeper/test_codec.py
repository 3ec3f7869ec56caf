"""What is written is read back; whatever else lies there is told and never crashes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.view import Member, View
from shardkeeper.ports.coordinator import Load, NodeInfo, NodeState
from shardkeeper.zookeeper.codec import (
    Unreadable,
    decode_candidate,
    decode_node,
    decode_view,
    encode_candidate,
    encode_node,
    encode_view,
)

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
_labels = st.dictionaries(_texts, _texts, max_size=3)
_weights = st.floats(1e-6, 1e9)
_members = st.builds(Member, _names, _names, _weights, _labels)
_views = st.builds(
    View,
    _names,
    st.integers(0, 2**63 - 1),
    _texts,
    st.lists(_members, max_size=4).map(tuple),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis wants naive bounds
)
_nodes = st.builds(
    NodeInfo,
    node_id=_names,
    incarnation=_names,
    host=_texts,
    pid=st.integers(0, 2**31),
    version=_texts,
    weight=_weights,
    labels=_labels,
    state=st.sampled_from(NodeState),
    load=st.sampled_from(Load),
    applied_epoch=st.integers(0, 2**63 - 1),
    addresses=_labels,
    code_version=_texts,
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(_views)
def test_a_view_is_read_back_as_it_was_written(view: View) -> None:
    assert decode_view(encode_view(view)) == view


@given(_nodes)
def test_a_node_is_read_back_as_it_was_written(info: NodeInfo) -> None:
    assert decode_node(encode_node(info), info.node_id) == info


@given(_names, _names)
def test_a_candidate_is_read_back_as_it_was_written(node_id: str, incarnation: str) -> None:
    assert decode_candidate(encode_candidate(node_id, incarnation)) == (node_id, incarnation)


@given(st.binary(max_size=200) | _json.map(lambda value: json.dumps(value).encode()))
def test_garbage_is_unreadable_and_nothing_worse(data: bytes) -> None:
    for read in (decode_view, decode_candidate, lambda found: decode_node(found, "a")):
        with pytest.raises(Unreadable):
            read(data)


_GOOD = json.loads(encode_node(NodeInfo("a", "a-1")))
_VIEW = json.loads(
    encode_view(View("l", 1, "a-1", (Member("a", "a-1"),), datetime(2026, 11, 21, tzinfo=UTC)))
)


@given(st.sampled_from(sorted(_GOOD)), _json)
def test_a_node_with_one_field_spoilt_is_read_or_unreadable(field: str, value: object) -> None:
    data = json.dumps({**_GOOD, field: value}).encode()
    try:
        read = decode_node(data, "a")
    except Unreadable:
        return
    assert decode_node(encode_node(read), "a") == read


@given(st.sampled_from(sorted(_VIEW)), _json)
def test_a_view_with_one_field_spoilt_is_read_or_unreadable(field: str, value: object) -> None:
    data = json.dumps({**_VIEW, field: value}).encode()
    try:
        read = decode_view(data)
    except Unreadable:
        return
    assert decode_view(encode_view(read)) == read


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("format", 2, "format is 2"),
        ("node_id", "b", "another|node 'b'"),
        ("weight", float("nan"), "weight"),
        ("weight", 0, "weight"),
        ("weight", True, "weight"),
        ("state", "asleep", "state is none of active"),
        ("applied_epoch", -1, "applied_epoch"),
        ("labels", {"zone": 1}, "labels"),
        ("incarnation", "", "incarnation is empty"),
    ],
)
def test_what_is_wrong_is_named(field: str, value: object, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        decode_node(json.dumps({**_GOOD, field: value}).encode(), "a")


def test_fields_of_a_later_version_are_passed_over() -> None:
    assert decode_node(json.dumps({**_GOOD, "mood": "sunny"}).encode(), "a") == NodeInfo("a", "a-1")


def test_a_view_nested_without_end_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        decode_view(b"[" * 200_000)
