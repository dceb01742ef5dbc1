"""One seed from birth to end, life after life."""

from __future__ import annotations

import shutil
import tempfile
from hashlib import blake2b
from pathlib import Path

import msgspec

from quarterdeck.app.invariants.rules import Violation
from quarterdeck.app.simulation.life import Life
from quarterdeck.app.simulation.world import World

MAX_LIVES = 40
"""Lives after which a deck that cannot come back is given up."""
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108
"""Where a seed's files lie if the system has it: simulated crashes lose no page cache."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one seed.

    An event is a step, a command of a built-in agent inside one, or a refused command; after each of
    them the invariants are held. ``effects`` on the disk, where a life may end, are counted apart.
    """

    seed: int
    closed: bool
    events: int
    steps: int
    commands: int
    refused: int
    effects: int
    lives: int
    log: str
    state: str
    violation: Violation | None
    lines: tuple[str, ...] = ()


def live_through(world: World) -> Outcome:
    """Live from birth to the end of the feed, through every crash; never raises a violation."""
    parent = MEMORY_FOLDER if MEMORY_FOLDER.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="quarterdeck-sim-", dir=parent) as root:
        path, lives = Path(root) / "life-1", 0
        path.mkdir(mode=0o700)
        seal = blake2b(f"seal {world.plan.seed}".encode(), digest_size=32).digest()
        (path / "audit.key").touch(mode=0o600)
        (path / "audit.key").write_bytes(seal)
        while True:
            lives += 1
            life = Life(world, path, order=world.chance.fork(f"life-{lives}"))
            done = life.run()
            if done or world.violation is not None:
                break
            if lives >= MAX_LIVES:
                world.violation = Violation(
                    rule="liveness", text=f"the deck did not come back in {lives} lives"
                )
                break
            world.lived_s += world.chance.between(0.05, 3.0)
            following = Path(root) / f"life-{lives + 1}"
            (Path(root) / "image").rename(following)
            shutil.rmtree(path)
            path = following
    return Outcome(
        seed=world.plan.seed,
        closed=world.plan.closed,
        events=world.steps + world.commands + world.refused,
        steps=world.steps,
        commands=world.commands,
        refused=world.refused,
        effects=world.disk.effects,
        lives=lives,
        log=world.log.digest(),
        state=world.state,
        violation=world.violation,
        lines=tuple(world.log.lines),
    )
