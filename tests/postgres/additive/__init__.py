"""Holds revisions to what CONTRIBUTING.md says of them: within a minor version they only add."""

from tests.postgres.additive.catalog import Catalog, Column, Function, Relation
from tests.postgres.additive.narrowed import narrowed
from tests.postgres.additive.reading import read_catalog

__all__ = ["Catalog", "Column", "Function", "Relation", "narrowed", "read_catalog"]
