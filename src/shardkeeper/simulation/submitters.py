"""People who submit work, and who give nodes more and fewer workers: drawn one deed at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from shardkeeper.simulation.job_drawing import draw_follower, draw_parameters, draw_work
from shardkeeper.simulation.world import World

MOST_JOBS = 4
PREFIX = "work-"
FOLLOWER = "after-"
MOST_FOLLOWERS = 2


class Submitters:
    """``mean_pause_s``: between two deeds. ``lost``: share of the answers that they do not hear."""

    def __init__(self, world: World, mean_pause_s: float, lost: float = 0.1) -> None:
        self._world = world
        self._mean_pause_s = mean_pause_s
        self._lost = lost
        self._number = 0
        self._keyed: list[tuple[str, str]] = []
        self._deeds: tuple[tuple[int, Callable[[], None]], ...] = (
            (4, self._submit),
            (3, self._submit_with_key),
            (2, self._submit_again),
            (3, self._submit_later),
            (3, self._submit_many),
            (1, self._trigger_later),
            (2, self._resize),
            (1, self._insert),
            (1, self._insert_follower),
        )
        self.at_work = True

    def begin(self, jobs: int) -> None:
        """The first jobs without a schedule; then one deed after the other."""
        for _ in range(jobs):
            self._insert()
        if self._world.rng.random() < 0.5:
            self._insert_follower()
        self._next()

    def finish(self) -> None:
        """Do nothing more."""
        self.at_work = False

    def _next(self) -> None:
        rng = self._world.rng
        self._world.clock.call_later(rng.expovariate(1 / self._mean_pause_s), self._act)

    def _act(self) -> None:
        if self.at_work:
            weights = [weight for weight, _ in self._deeds]
            self._world.rng.choices([deed for _, deed in self._deeds], weights)[0]()
            self._next()

    def _insert(self) -> None:
        people = self._world.people
        if sum(name.startswith(PREFIX) for name in people.jobs) < MOST_JOBS:
            self._number += 1
            people.put_job(f"{PREFIX}{self._number}", **draw_work(self._world.rng))

    def _insert_follower(self) -> None:
        """It may start at once, with whatever of what it follows is open."""
        people = self._world.people
        followed = [name for name in people.jobs if not name.startswith(FOLLOWER)]
        if len(people.jobs) - len(followed) < MOST_FOLLOWERS and followed:
            self._number += 1
            people.put_job(f"{FOLLOWER}{self._number}", **draw_follower(self._world.rng, followed))

    # ---- submitting

    def _submit(self) -> None:
        self._one(None)

    def _submit_with_key(self) -> None:
        self._number += 1
        self._one(f"key-{self._number}")

    def _submit_again(self) -> None:
        """With a key that was used: because nobody answered, or because it was forgotten."""
        if self._keyed:
            name, key = self._world.rng.choice(self._keyed)
            self._one(key, name)

    def _submit_later(self) -> None:
        self._one(None, after_s=self._world.rng.choice((0.5, 3.0, 9.0)))

    def _submit_many(self) -> None:
        """More than there are workers; some of them with the key of another."""
        rng, name = self._world.rng, self._some_job()
        if name is None:
            return
        each = [draw_parameters(rng) for _ in range(rng.choice((2, 5, 12, 25)))]
        keys = None
        if rng.random() < 0.4:
            self._number += 1
            keys = [f"many-{self._number}-{rng.randrange(2 * len(each))}" for _ in each]
            self._keyed += [(name, key) for key in keys[:2]]
        self._world.people.submit(name, each, keys, priority=self._priority(), unheard=self._unheard())

    def _one(self, key: str | None, name: str | None = None, after_s: float | None = None) -> None:
        world = self._world
        name = name or self._some_job()
        if name is None:
            return
        if key is not None:
            self._keyed.append((name, key))
        world.people.submit(
            name,
            [draw_parameters(world.rng)],
            None if key is None else [key],
            priority=self._priority(),
            at=None if after_s is None else world.clock.now() + timedelta(seconds=after_s),
            bulk=world.rng.random() < 0.3,
            unheard=self._unheard(),
        )

    def _priority(self) -> int:
        return self._world.rng.choice((0, 0, 0, 1, 2, -1))

    def _unheard(self) -> bool:
        return self._world.rng.random() < self._lost

    # ---- orders

    def _trigger_later(self) -> None:
        name, world = self._some_job(), self._world
        if name is not None:
            at = world.clock.now() + timedelta(seconds=world.rng.choice((1.0, 4.0)))
            world.people.order(
                f"trigger {name} at {at}", lambda store: store.trigger(name, {}, None, at, "people")
            )

    def _resize(self) -> None:
        """While it is loaded or not: 2 to 8 to 1, in any order."""
        rng, people = self._world.rng, self._world.people
        machine = self._world.machines[rng.choice(list(self._world.machines))]
        node_id, workers = machine.host.plan.node_id, rng.choice((1, 2, 4, 8))
        people.order(
            f"{workers} workers for {node_id}",
            lambda store: store.order_workers(node_id, workers, "people"),
        )

    def _some_job(self) -> str | None:
        """Mostly one without a schedule."""
        names = self._world.people.jobs
        work = [name for name in names if name.startswith(PREFIX)]
        if work and self._world.rng.random() < 0.9:
            names = work
        return self._world.rng.choice(names) if names else None
