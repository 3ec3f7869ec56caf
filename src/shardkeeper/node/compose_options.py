"""How the settings say ZooKeeper is reached: the daemon and the faces reach it alike."""

from __future__ import annotations

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
