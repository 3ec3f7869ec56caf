"""Whatever Slack does, a notice either arrives or says when to try again."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from shardkeeper.devservers.fake_slack import Answer, FakeSlack
from shardkeeper.domain.notices import Notice, notice_of
from shardkeeper.slack import notifier as notifier_module
from shardkeeper.slack.notifier import SlackNotifier

FAILED = {
    "job_name": "price-index",
    "run_id": 7,
    "fire_time": "2026-11-21T03:00:00Z",
    "items": 3,
    "failed_items": 1,
    "item": 2,
    "item_parameter": "busan",
    "phase": "validate",
    "status": "FAILED",
    "node_id": "n1",
    "attempt": 1,
    "error_type": "ValidationError",
    "error_message": "<!channel> & password=hunter22 at postgres://u:secret@db/x \x1b[31m",
    "mention": "@team-prices",
    "owner": "team-prices",
}


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    server = FakeSlack()
    yield server
    server.close()


def by_token(slack: FakeSlack) -> SlackNotifier:
    return SlackNotifier("xoxb-test-token", "#jobs", slack.url, secrets=("topsecretvalue",))


def whole_text(slack: FakeSlack) -> str:
    (message,) = slack.inbox
    return message.text + json.dumps(message.blocks, ensure_ascii=False)


def test_a_failure_is_told_in_the_contract_s_words(slack: FakeSlack) -> None:
    posted = by_token(slack).post(notice_of("failed", FAILED, "live"))
    assert posted.ok
    assert posted.message_id is not None
    (message,) = slack.inbox
    assert message.text == "[live] price-index 1/3 items FAILED in validate"
    assert message.channel == "#jobs"
    assert message.authorization == "Bearer xoxb-test-token"
    told = whole_text(slack)
    for part in ("2026-11-21T03:00:00Z", "2 (busan)", "n1", "@team-prices", "shardkeeper rerun 7"):
        assert part in told


def test_error_text_is_escaped_masked_and_free_of_control_characters(slack: FakeSlack) -> None:
    by_token(slack).post(
        notice_of("failed", FAILED | {"error_message": f"{FAILED['error_message']} topsecretvalue"}, "live")
    )
    told = whole_text(slack)
    assert "<!channel>" not in told
    assert "&lt;!channel&gt; &amp;" in told
    for secret in ("hunter22", ":secret@", "topsecretvalue", "\x1b", "\\u001b"):
        assert secret not in told


def test_a_long_error_is_cut_and_cannot_end_its_code_block(slack: FakeSlack) -> None:
    by_token(slack).post(Notice("t", error="```" + "x" * 100_000))
    told = whole_text(slack)
    assert len(told) < 5_000
    assert told.count("```") == 2


def test_a_mention_that_is_none_is_not_sent_as_one(slack: FakeSlack) -> None:
    by_token(slack).post(Notice("t", mention="<!channel> and <http://x|y>"))
    assert "<" not in whole_text(slack)


def test_a_recovery_answers_in_the_thread(slack: FakeSlack) -> None:
    first = by_token(slack).post(Notice("failed"))
    by_token(slack).post(Notice("recovered", thread=first.message_id))
    assert slack.inbox[1].thread == first.message_id


def test_an_alert_s_own_channel_wins(slack: FakeSlack) -> None:
    by_token(slack).post(Notice("t", channel="#prices"))
    assert slack.inbox[0].channel == "#prices"


def test_a_webhook_works_too(slack: FakeSlack) -> None:
    posted = SlackNotifier(webhook_url=slack.webhook_url).post(notice_of("failed", FAILED, "live"))
    assert posted.ok
    assert slack.inbox[0].text == "[live] price-index 1/3 items FAILED in validate"


@pytest.mark.parametrize(
    ("answer", "retry_after_s", "reason"),
    [
        (Answer(429, '{"ok": false, "error": "ratelimited"}', {"Retry-After": "17"}), 17.0, "ratelimited"),
        (Answer(500, "oops"), 5.0, ""),
        (Answer(200, "<html>maintenance</html>", {}), 5.0, ""),
        (Answer(200, '{"ok": false, "error": "internal_error"}'), 5.0, "internal_error"),
        (Answer(200, '{"ok": false, "error": "invalid_auth"}'), None, "invalid_auth"),
        (Answer(200, '{"ok": false, "error": "channel_not_found"}'), None, "channel_not_found"),
    ],
)
def test_each_refusal_says_when_to_try_again(
    slack: FakeSlack, answer: Answer, retry_after_s: float | None, reason: str
) -> None:
    slack.answer_next(answer)
    posted = by_token(slack).post(Notice("t"))
    assert not posted.ok
    assert posted.retry_after_s == retry_after_s
    assert reason in (posted.reason or "")
    assert slack.inbox == ()


def test_a_hang_ends_after_a_bounded_time(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier_module, "TIMEOUT_S", 1)
    slack.answer_next(Answer(hang=True))
    posted = by_token(slack).post(Notice("t"))
    assert (posted.ok, posted.retry_after_s) == (False, 5.0)


def test_a_server_that_is_away_is_tried_again(slack: FakeSlack) -> None:
    gone = FakeSlack()
    url = gone.url
    gone.close()
    posted = SlackNotifier("xoxb-t", "#jobs", url).post(Notice("t"))
    assert (posted.ok, posted.retry_after_s) == (False, 5.0)


def test_nothing_configured_says_so() -> None:
    posted = SlackNotifier().post(Notice("t"))
    assert (posted.ok, posted.retry_after_s) == (False, None)
    assert "no Slack token" in (posted.reason or "")
