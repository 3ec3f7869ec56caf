"""The small parts of the workers, by themselves."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.redaction import redact
from shardkeeper.workers.frames import BadFrame, FrameReader, packed
from shardkeeper.workers.jsontext import NotJson, TooLarge, json_text
from shardkeeper.workers.page import LOG_LIMIT, Page, new_page
from shardkeeper.workers.settings import task_environment
from shardkeeper.workers.texts import bounded, cut


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to postgres://joe:s3cret@db:5432/x now", "to postgres://joe:***@db:5432/x now"),
        ("amqp://:s3cret@host", "amqp://:***@host"),
        ("token xoxb-12-34-abcDEF used", "token *** used"),
        ("https://hooks.slack.com/services/T0/B0/s3cret", "https://hooks.slack.com/***"),
        ("Authorization: Bearer s3cret.s3cret", "Authorization: Bearer ***"),
        ("host=db password=s3cret user=x", "host=db password=*** user=x"),
        ("{'api_key': 's3cret', 'a': 1}", "{'api_key': ***, 'a': 1}"),
        ('"db_password": "s3cret s3cret"', '"db_password": ***'),
        ("AKIAABCDEFGHIJKLMNOP", "***"),
        ("a eyJhbGciOiJIUzI1.eyJzdWIiOiIx.s3cret b", "a *** b"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, masked: str) -> None:
    assert redact(text) == masked


@pytest.mark.parametrize(
    "text", ["http://host:8080/a@b", "the token was wrong", "passwords are hard", "see https://x/y"]
)
def test_what_only_resembles_a_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    assert redact("xhunter22x", ["hunter22"]) == "x***x"


@given(st.text(), st.integers(10, 200))
def test_bounded_texts_can_be_stored_and_are_short(text: str, limit: int) -> None:
    short = bounded(text, limit)
    assert len(short) <= limit + 60
    assert "\0" not in short
    short.encode()


def test_a_cut_keeps_both_ends() -> None:
    text = cut("a" * 500 + "b" * 500, 100)
    assert text.startswith("aaa")
    assert text.endswith("bbb")
    assert "900 characters left out" in text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_json_text_gives_back_the_value_or_says_what_cannot_be_stored(value: object) -> None:
    try:
        text = json_text(value, 10_000_000)
    except NotJson:
        raw = json.dumps(value, ensure_ascii=False)
        assert "\\u0000" in raw or any(0xD800 <= ord(sign) < 0xE000 for sign in raw)
        return
    assert json.loads(text) == value


def test_json_text_refuses_what_is_too_large_or_too_deep() -> None:
    with pytest.raises(TooLarge):
        json_text("xxxx", 5)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(NotJson, match="nested too deeply"):
        json_text(deep, 10_000_000)


@given(st.lists(st.dictionaries(st.text(), st.integers())), st.integers(1, 50))
def test_frames_arrive_whole_however_they_are_cut(messages: list[dict[str, int]], piece: int) -> None:
    stream = b"".join(map(packed, messages))
    reader = FrameReader(1 << 20)
    found = []
    for at in range(0, len(stream), piece):
        found += list(reader.feed(stream[at : at + piece]))
    assert found == messages


@pytest.mark.parametrize(
    "stream", [b"\xff\xff\xff\xff", b"\0\0\0\x02[]", b"\0\0\0\x01{", b"\0\0\0\x02\xff\xff"]
)
def test_what_is_no_frame_is_refused(stream: bytes) -> None:
    with pytest.raises(BadFrame):
        list(FrameReader(1000).feed(stream))


@given(st.lists(st.integers(0, LOG_LIMIT + 1000), max_size=6))
def test_the_page_keeps_the_tail_of_what_was_written(sizes: list[int]) -> None:
    fd = new_page(4)
    page = Page(fd)
    os.close(fd)
    written = b""
    for number, size in enumerate(sizes):
        data = bytes([65 + number]) * size
        page.write(data)
        written += data
    assert page.tail() == (written[-LOG_LIMIT:], max(0, len(written) - LOG_LIMIT))
    page.begin(3, 7, 12.5, "abcdef012345", True)
    assert (page.begun(3, 7), page.begun(3, 8), page.begun(2, 7)) == (
        (12.5, "abcdef012345", True),
        None,
        None,
    )
    page.close()


def test_tasks_get_the_environment_without_the_daemon_s_own() -> None:
    given = {
        "PATH": "/bin",
        "SHARDKEEPER_SLACK__TOKEN": "x",
        "SHARDKEEPER_DATABASE_URL": "y",
        "NOTIFY_SOCKET": "z",
    }
    assert task_environment(given) == {"PATH": "/bin"}
