"""The feeds that `shardkeeper dev` serves to the sample jobs."""

from __future__ import annotations

import json
import random
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from shardkeeper.dev.feeds import FAILING, SYMBOLS, FeedsServer, Market


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[FeedsServer]:
    feeds = FeedsServer(Market(random.Random(7), clock))
    yield feeds
    feeds.close()


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_feed_quotes_every_symbol(server: FeedsServer) -> None:
    with urllib.request.urlopen(f"{server.url}/feeds/alpha?region=seoul", timeout=5) as answer:
        said = json.load(answer)
    assert said["prices"].keys() == SYMBOLS.keys()
    assert (said["feed"], said["region"]) == ("alpha", "seoul")


def test_anything_else_is_not_found(server: FeedsServer) -> None:
    assert status_of(f"{server.url}/") == 404
    assert status_of(f"{server.url}/feeds/a/b") == 404


def test_one_feed_is_down_now_and_then_and_no_other(server: FeedsServer, clock: Clock) -> None:
    seen = []
    for clock.now in (0.0, 19.0, 21.0, 29.0, 31.0):
        seen.append(status_of(f"{server.url}/feeds/{FAILING}"))
        assert status_of(f"{server.url}/feeds/alpha") == 200
    assert seen == [200, 200, 503, 503, 200]


def test_prices_walk_but_stay_believable(clock: Clock) -> None:
    market = Market(random.Random(7), clock)
    quotes = [market.quote("alpha", "seoul") for _ in range(20_000)]
    for symbol, price in SYMBOLS.items():
        walked = [quote[symbol] for quote in quotes]
        assert len(set(walked)) > 10
        assert 0.74 * price < min(walked) <= max(walked) < 1.26 * price
