"""The list of guards, in the order of the table in docs/simulation.md."""

from __future__ import annotations

from tests.simulation.guards import (
    changing,
    claiming,
    closing,
    creating,
    going_away,
    living,
    ordering,
    sharing,
    sweeping,
)
from tests.simulation.mutations import Mutation

GUARDS: tuple[Mutation, ...] = (
    *changing.GUARDS,
    *creating.GUARDS,
    *claiming.GUARDS,
    *closing.GUARDS,
    *living.GUARDS,
    *sharing.GUARDS,
    *sweeping.GUARDS,
    *going_away.GUARDS,
    *ordering.GUARDS,
)
