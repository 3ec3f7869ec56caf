"""How the settings say each server is reached: the daemon and the faces reach them alike."""

from __future__ import annotations

from shardkeeper.postgres.connection import ConnectionOptions
from shardkeeper.settings.model import Settings
from shardkeeper.zookeeper.options import ZooKeeperOptions


def zookeeper_options(settings: Settings) -> ZooKeeperOptions:
    """How to reach ZooKeeper."""
    given = settings.zookeeper
    return ZooKeeperOptions(
        hosts=settings.zookeeper_hosts,
        namespace=settings.namespace,
        session_timeout_s=settings.session_timeout,
        auth=given.auth.get_secret_value() if given.auth else None,
        tls_ca=str(given.tls_ca) if given.tls_ca else None,
        tls_cert=str(given.tls_cert) if given.tls_cert else None,
        tls_key=str(given.tls_key) if given.tls_key else None,
    )


def connection_options(settings: Settings, purpose: str) -> ConnectionOptions:
    """A connection of its own for each purpose, named in pg_stat_activity by node and purpose."""
    url = settings.database_url.get_secret_value()
    return ConnectionOptions(
        url,
        application_name=f"shardkeeper {settings.node_id} {purpose}"[:63],
        # less than the statement's, so that a lock that is not to be had is told as such
        lock_timeout_s=0.4 * settings.statement_timeout,
        statement_timeout_s=settings.statement_timeout,
    )
