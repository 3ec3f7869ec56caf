"""Virtual environments of peers: made once in the user's cache, by what is installed in them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.on_demand.contenders import Unavailable

INSTALL_TIMEOUT_S = 300.0


def python_with(name: str, requirements: Sequence[str]) -> Path:
    """The interpreter of an environment that has them; raises Unavailable when they cannot be installed."""
    wanted = "\n".join((sys.version.split()[0], *requirements))
    folder = _cache() / f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if python.exists():
        return python
    making = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        subprocess.run([sys.executable, "-m", "venv", making], check=True, capture_output=True)
        subprocess.run(
            # the environment is moved when it is whole, which its scripts would not survive: `python -m` does
            [making / "bin" / "python", "-m", "pip", "install", "--quiet", *requirements],
            check=True,
            capture_output=True,
            timeout=INSTALL_TIMEOUT_S,
        )
        making.rename(folder)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"cannot be installed here: {', '.join(requirements)}") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return python


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "shardkeeper-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
