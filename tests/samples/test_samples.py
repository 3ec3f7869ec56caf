"""The sample jobs do real work on real input, and their spec files are valid."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from shardkeeper.specfiles import load_spec_files
from shardkeeper.testing import run_task
from tests.servers import ZooKeeperNamespace

SAMPLES = Path(__file__).parents[2] / "jobspecs"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SAMPLES))
    for name in [name for name in sys.modules if name.startswith("shardkeeper_samples")]:
        monkeypatch.delitem(sys.modules, name)


PRICES = {"alpha": 100.0, "beta": 130.0}


class Feeds(BaseHTTPRequestHandler):
    """Quotes by feed; ``down`` answers 503."""

    def do_GET(self) -> None:
        feed = self.path.split("?")[0].rsplit("/", 1)[-1]
        body = json.dumps({"prices": {"KRW": PRICES.get(feed, 0.0)}}).encode()
        self.send_response(200 if feed in PRICES else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def feeds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Feeds)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("SAMPLE_FEEDS_URL", f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def sources(*feeds: tuple[str, float]) -> list[dict[str, Any]]:
    return [{"key": key, "weight": weight, "location": f"feeds/{key}"} for key, weight in feeds]


def price_index(**given: Any) -> Any:
    from shardkeeper_samples.price_index import PriceIndex  # noqa: PLC0415  importable only once the path is set

    parameters = {"low": 10, "high": 1000, "quorum": 0.6, "timeout_s": 2} | given.pop("parameters", {})
    return run_task(PriceIndex, parameters=parameters, item_parameter="seoul", **given)


def test_all_spec_files_are_valid() -> None:
    specs = load_spec_files([SAMPLES])
    assert {job.name for job in specs.jobs} == {
        "count-primes",
        "price-index",
        "implausible-index",
        "store-health",
        "disk-usage",
    }


@pytest.mark.usefixtures("feeds")
def test_the_index_is_the_mean_by_weight() -> None:
    outcome = price_index(sources=sources(("alpha", 2), ("beta", 1)))
    assert [(value.key, value.value, value.weight) for value in outcome.values] == [("seoul/KRW", 110.0, 3.0)]


@pytest.mark.usefixtures("feeds")
def test_an_index_without_a_quorum_of_weight_is_refused() -> None:
    with pytest.raises(Exception, match="feeds of weight 2 answered of 5"):
        price_index(sources=sources(("alpha", 2), ("down", 3)))


@pytest.mark.usefixtures("feeds")
def test_an_unbelievable_index_is_refused() -> None:
    with pytest.raises(Exception, match="outside 1e"):
        price_index(sources=sources(("alpha", 1)), parameters={"low": 1e6, "high": 2e6})


def test_the_probe_speaks_to_a_real_zookeeper(
    zookeeper: ZooKeeperNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shardkeeper_samples.store_health import StoreHealth  # noqa: PLC0415  importable only once the path is set

    monkeypatch.setenv("SAMPLE_ZOOKEEPER", zookeeper.hosts.split(",")[0])
    outcome = run_task(StoreHealth, parameters={"slow_ms": 60_000}, item_parameter="zookeeper")
    assert outcome.result["said"].startswith("Mode: ")


def test_the_script_s_last_line_is_json() -> None:
    script = SAMPLES / "scripts" / "disk-usage.sh"
    env = {"SHARDKEEPER_RUN_NAME": "r", "SHARDKEEPER_NODE_ID": "n", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([str(script), "/", "100"], env=env, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["mount"] == "/"
    assert 0 <= result["percent"] <= 100


def test_the_script_fails_above_the_limit() -> None:
    script = SAMPLES / "scripts" / "disk-usage.sh"
    env = {"SHARDKEEPER_RUN_NAME": "r", "SHARDKEEPER_NODE_ID": "n", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([str(script), "/", "-1"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "more than -1%" in done.stderr


def test_primes_are_counted_from_the_last_checkpoint_on() -> None:
    from shardkeeper_samples.primes import CountPrimes  # noqa: PLC0415  importable only once the path is set

    whole = run_task(CountPrimes, parameters={"below": 100_000, "step": 7_000})
    assert whole.result == {"below": 100_000, "primes": 9592}
    assert whole.progress[-1] == (1.0, "9592 primes below 100000")
    interrupted = whole.checkpoints[4]
    rest = run_task(CountPrimes, parameters={"below": 100_000, "step": 7_000}, checkpoint=interrupted)
    assert rest.result == whole.result
    assert len(rest.checkpoints) == len(whole.checkpoints) - 5


def test_primes_refuse_what_is_no_number() -> None:
    from shardkeeper_samples.primes import CountPrimes  # noqa: PLC0415  importable only once the path is set

    with pytest.raises(ValueError, match="not a whole number"):
        run_task(CountPrimes, parameters={"below": "many"})
