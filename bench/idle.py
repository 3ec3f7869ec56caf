"""What processors do while they are idle.

On a virtual machine an idle processor that halts is given away by its host. Waking it takes time, and what it does next
takes longer, presumably as its caches belonged to others meanwhile. Short waits (for a flush, for an answer) are made
of that. Kernels therefore poll for a while before they halt (200 µs where nobody has changed it); some hosts have that
off.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

QUALITY = Path("/dev/cpu_dma_latency")
_DRIVER = Path("/sys/devices/system/cpu/cpuidle/current_driver")
_POLLS_NS = Path("/sys/module/haltpoll/parameters/guest_halt_poll_ns")

AWAKE = "asked not to halt (`--awake`)"


def idle_processors() -> str:
    """How they idle by this machine's settings."""
    driver, polls_ns = _read(_DRIVER), _read(_POLLS_NS)
    if driver is None:
        return "not told"
    if driver != "haltpoll" or polls_ns is None:
        return f"as {driver} has it"
    if polls_ns == "0":
        return "halt at once (haltpoll, 0 µs)"
    return f"poll for {int(polls_ns) / 1000:.0f} µs before they halt (haltpoll)"


@contextmanager
def kept_awake() -> Iterator[None]:
    """Idle processors poll and do not halt, as long as it lasts, by the kernel's interface for programs that must not
    wait for them (its documentation, pm_qos_interface). Raises OSError where there is none, or this user may not."""
    with QUALITY.open("wb", buffering=0) as held:
        held.write(struct.pack("=i", 0))
        yield


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
