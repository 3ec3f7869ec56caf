"""Adapter: the node's timers, on APScheduler."""
