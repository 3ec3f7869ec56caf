"""What is said once everything is up: what there is, and how to look at it."""

from __future__ import annotations

from shardkeeper.dev.fleet import Fleet
from shardkeeper.dev.options import DevOptions
from shardkeeper.dev.servers import Servers
from shardkeeper.dev.state import StateFolder

STANDALONE = """\
  One node without ZooKeeper: everything runs, but no second node can join, nothing is taken over when the node dies,
  and jobs labelled needs: zookeeper are paused.
"""


def greeting(options: DevOptions, state: StateFolder, servers: Servers, fleet: Fleet) -> list[str]:
    """Lines for the start."""
    nodes = "   ".join(f"{name} (pid {pid})" for name, pid in fleet.pids.items())
    slack = "a fake one; its inbox is shown here" if servers.slack is not None else "yours: a token is set"
    lines = [
        "",
        "Shardkeeper is up.",
        "",
        f"  nodes       {nodes}",
        f"  jobs        {options.jobspecs}",
        "  PostgreSQL  18, embedded",
        f"  ZooKeeper   {'none: --standalone' if options.standalone else servers.zookeeper_hosts}",
        f"  Slack       {slack}",
        f"  state       {state.path}  (kept between runs; --fresh empties it; logs/ has a file for each node)",
        "",
    ]
    if options.standalone:
        lines += [*STANDALONE.splitlines(), ""]
    return [
        *lines,
        "In another terminal:",
        "",
        *(f"  {line}" for line in _commands(options, state, fleet)),
        "",
    ]


def view_help(state: StateFolder) -> list[str]:
    """The same in two lines, for the foot of the live view."""
    return [
        f'Elsewhere:  eval "$(cat {state.env})" && shardkeeper jobs',
        'psql "$DATABASE_URL"  ·  kill -9 PID: the others take over  ·  Ctrl-C ends it',
    ]


def _commands(options: DevOptions, state: StateFolder, fleet: Fleet) -> list[str]:
    look = [
        f'eval "$(cat {state.env})"',
        'psql "$DATABASE_URL" -c "table shardkeeper.job_status"',
        "shardkeeper jobs        # or nodes, shards, runs, run RUN, logs RUN",
    ]
    if options.standalone:
        return look
    pid = next(iter(fleet.pids.values()), "PID")
    return [*look, f"kill -9 {pid:<15} # a node dies; the others take its work"]
