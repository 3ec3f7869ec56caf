"""Starts a server, prints its pid and waits; the test kills this process and looks whether the server follows.

usage: python parent_dies.py postgres|zookeeper FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Event, Thread

from shardkeeper.devservers import PostgresServer, ZooKeeperServer


def main() -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2])
    server = PostgresServer(folder) if kind == "postgres" else ZooKeeperServer(folder)
    # from a thread that ends at once: the server must not die with the thread
    starter = Thread(target=server.start)
    starter.start()
    starter.join()
    sys.stdout.write(f"{server.pid}\n")
    sys.stdout.flush()
    sys.stdin.read()
    # long enough for a signal to arrive and be obeyed, were there one
    Event().wait(1)
    if not server.alive:
        sys.exit("the server died with the thread that started it")
    server.close()


main()
