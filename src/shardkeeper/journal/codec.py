"""An outcome as one line of JSON, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from shardkeeper.domain.outcomes import Outcome, ValueRow
from shardkeeper.domain.runs import AttemptKey, AttemptStatus, Phase

_INSTANTS = ("started_at", "finished_at")


def encode(incarnation: str, outcome: Outcome) -> str:
    """One line, without its newline."""
    fields = asdict(outcome)
    fields["key"] = outcome.key._asdict() | {"fire_time": outcome.key.fire_time.isoformat()}
    for name in _INSTANTS:
        fields[name] = fields[name].isoformat() if fields[name] is not None else None
    return json.dumps({"incarnation": incarnation, "outcome": fields}, separators=(",", ":"))


def decode(line: str) -> tuple[str, Outcome]:
    """Raises ValueError, KeyError or TypeError where the line is damaged."""
    entry = json.loads(line)
    fields: dict[str, Any] = dict(entry["outcome"])
    key = fields.pop("key")
    for name in _INSTANTS:
        fields[name] = datetime.fromisoformat(fields[name]) if fields[name] is not None else None
    fields["status"] = AttemptStatus(fields["status"])
    fields["phase"] = Phase(fields["phase"]) if fields["phase"] is not None else None
    for name in ("values", "refused_values"):
        fields[name] = tuple(ValueRow(**value) for value in fields[name])
    fire_time = datetime.fromisoformat(key.pop("fire_time"))
    return str(entry["incarnation"]), Outcome(key=AttemptKey(fire_time=fire_time, **key), **fields)
