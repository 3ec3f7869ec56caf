"""What the engine needs from the world, one small module per noun.

A port is a Protocol and the values that cross it. Every port has an adapter that knows one system
(``postgres/``, ``zookeeper/``,
``workers/`` ...) and an in-memory twin in ``memory/``; one contract suite judges both. All calls block and
answer, or raise
``StoreUnavailable``: whether a write then happened is unknown, and the same call may be repeated, since each
is idempotent.
"""
