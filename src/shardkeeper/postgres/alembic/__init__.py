"""Alembic's scripts: each revision runs the plain SQL files of its folder in ``sql/``, in the order of their names."""
