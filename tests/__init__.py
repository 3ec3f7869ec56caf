"""Tests; the helpers in this package are imported as `tests.…`."""
