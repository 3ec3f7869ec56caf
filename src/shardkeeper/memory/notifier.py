"""The Notifier in memory: an inbox to look into."""

from __future__ import annotations

from shardkeeper.ports.notifier import Notice, Posted


class MemoryNotifier:
    """Keeps each message with its id; answers with ``answers`` first, as long as there are any."""

    def __init__(self) -> None:
        self.inbox: list[tuple[str, Notice]] = []
        self.answers: list[Posted] = []

    def post(self, notice: Notice) -> Posted:
        if self.answers:
            answer = self.answers.pop(0)
            if not answer.ok:
                return answer
        message_id = f"message-{len(self.inbox) + 1}"
        self.inbox.append((message_id, notice))
        return Posted(True, message_id)
