"""How much a spec may ask for. The cluster's own limits are settings; the rest are the contract's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MAX_SHARDING_TOTAL = 10_000
MAX_PRIORITY = 100
MAX_ATTEMPTS = 1000
MAX_CATCH_UP = 10_000
MAX_CATCH_UP_ITEMS = 100_000
"""Of one job with misfire `all`: what a sweep decides of a job is inserted at once, within the store's time-out."""
MAX_BACKOFF = 1000.0
MAX_WEIGHT = 1e12
MAX_DESCRIPTION = 10_000
MAX_ENTRYPOINT = 2000
MAX_LABELS = 100
MAX_SHORT_TEXT = 200
MAX_DEPTH = 50
MAX_RUNNING = 100_000
MAX_RATE = 1_000_000
MAX_NAMED = 100
MAX_SCHEMA_BYTES = 100_000
MAX_PARAMETERS_BYTES = 1_000_000

LONGEST_SCHEDULE = timedelta(days=36_500)
LONGEST_RUN = timedelta(days=3650)
LONGEST_RETRY = timedelta(days=365)
FIRST_INSTANT = datetime(1970, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that settings may move: sharding items per second of one job, bytes of one `parameters` as JSON."""

    max_items_per_second: float = 1000.0
    max_parameters_bytes: int = 1_000_000
