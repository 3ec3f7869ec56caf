"""All nemeses, by name."""

from __future__ import annotations

from collections.abc import Mapping

from bench.faults.nemeses import of_links, of_nodes, of_postgres, of_work, of_zookeeper
from bench.faults.nemeses.nemesis import Nemesis

NEMESES: Mapping[str, Nemesis] = {
    one.name: one
    for module in (of_nodes, of_zookeeper, of_postgres, of_links, of_work)
    for one in module.NEMESES
}
