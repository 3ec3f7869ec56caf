"""Posting notices to Slack, by token (chat.postMessage; recoveries answer in the thread) or by incoming webhook."""

from __future__ import annotations

from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookClient

from shardkeeper.domain.notices import Notice
from shardkeeper.ports.notifier import Posted
from shardkeeper.slack.layout import blocks_of, text_of

TIMEOUT_S = 10
AGAIN_S = 5.0
NEVER_MEND_BY_WAITING = frozenset(
    {
        "account_inactive",
        "channel_not_found",
        "invalid_auth",
        "is_archived",
        "missing_scope",
        "no_permission",
        "not_authed",
        "not_in_channel",
        "token_expired",
        "token_revoked",
        "no_service",
        "invalid_token",
        "action_prohibited",
    }
)
"""Refusals that a person must mend; everything else is tried again."""
UNCONFIGURED = "no Slack token or webhook is set"


class SlackNotifier:
    """See ``ports.notifier.Notifier``. ``channel`` is where notices without a channel of their own go.

    ``secrets`` are masked in whatever is sent. Without token and webhook nothing is sent, and the reason says so.
    """

    def __init__(
        self,
        token: str | None = None,
        channel: str | None = None,
        api_url: str = "https://slack.com/api/",
        webhook_url: str | None = None,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self._channel = channel
        self._secrets = secrets
        self._client = WebClient(token, base_url=api_url, timeout=TIMEOUT_S) if token else None
        self._webhook = WebhookClient(webhook_url, timeout=TIMEOUT_S) if webhook_url and not token else None

    def post(self, notice: Notice) -> Posted:
        """See Notifier."""
        try:
            if self._client is not None:
                return self._by_token(self._client, notice)
            if self._webhook is not None:
                return self._by_webhook(self._webhook, notice)
        except SlackApiError as error:
            return _refused(error)
        except (SlackClientError, OSError, ValueError) as error:
            # no answer, a hang, HTML, half a JSON: as good as no answer
            return Posted(False, retry_after_s=AGAIN_S, reason=f"{type(error).__name__}: {error}"[:300])
        return Posted(False, reason=UNCONFIGURED)

    def _by_token(self, client: WebClient, notice: Notice) -> Posted:
        channel = notice.channel or self._channel
        if channel is None:
            return Posted(
                False, reason="no Slack channel is set: set SHARDKEEPER_SLACK__CHANNEL or alert.channel"
            )
        answer = client.chat_postMessage(
            channel=channel,
            text=text_of(notice, self._secrets),
            blocks=blocks_of(notice, self._secrets),
            thread_ts=notice.thread,
            unfurl_links=False,
            unfurl_media=False,
        )
        return Posted(True, message_id=_text(answer.get("ts")))

    def _by_webhook(self, webhook: WebhookClient, notice: Notice) -> Posted:
        answer = webhook.send(text=text_of(notice, self._secrets), blocks=blocks_of(notice, self._secrets))
        if answer.status_code == 200 and answer.body.strip() == "ok":
            return Posted(True)
        reason = answer.body.strip()[:300] or f"HTTP {answer.status_code}"
        return _verdict(reason, answer.status_code, dict(answer.headers))


def _refused(error: SlackApiError) -> Posted:
    answer: Any = error.response
    if isinstance(answer, dict):
        return Posted(False, retry_after_s=AGAIN_S, reason=str(answer.get("error", error))[:300])
    reason = str(answer.get("error") or error)[:300]
    return _verdict(reason, answer.status_code, dict(answer.headers))


def _verdict(reason: str, status: int, headers: dict[str, Any]) -> Posted:
    if reason in NEVER_MEND_BY_WAITING:
        return Posted(False, reason=reason)
    wait_s = AGAIN_S
    named = {name.lower(): value for name, value in headers.items()}
    if status == 429 and str(named.get("retry-after", "")).isdigit():
        wait_s = float(str(named["retry-after"]))
    return Posted(False, retry_after_s=wait_s, reason=reason)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
