"""What the benchmarks read in the four-letter words of ZooKeeper."""

from __future__ import annotations

import pytest

from bench.zookeeper import counters, transactions

MNTR = "zk_version\t3.8.0-1, built on 2022\nzk_znode_count\t12\nzk_avg_latency\t0.25\nzk_watch_count\t6\nnot one\n"


def test_only_whole_numbers_are_counters() -> None:
    assert counters(MNTR) == {"zk_znode_count": 12, "zk_watch_count": 6}


def test_the_epoch_of_a_leader_is_not_counted_among_the_transactions() -> None:
    assert transactions("Latency min/avg/max: 0/0.1/4\nZxid: 0x30000001f\nMode: standalone\n") == 31


def test_a_server_that_says_no_transaction_id_is_not_taken_for_one_without_writes() -> None:
    with pytest.raises(ValueError, match="no transaction id"):
        transactions("This ZooKeeper instance is not currently serving requests\n")
