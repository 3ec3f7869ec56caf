"""The whole cluster in one process, with a virtual clock and seeded faults."""

from __future__ import annotations
