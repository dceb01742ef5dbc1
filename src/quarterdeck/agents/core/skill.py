"""How well each agent does each type of task in each regime, with what is not known about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import sqrt
from typing import NamedTuple

from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.vocabulary import Regime, TaskType

EVERYBODY = AgentId("*")
"""Under this name the durations of a type are kept, whoever did it."""
ANY = "any"
"""Under this word an agent's record over all regimes is kept."""
HALF_LIFE_SLICES = 250
"""After how many slices an outcome counts half."""
PRIOR_WEIGHT = 3.0
"""With how many outcomes' weight a record leans on what is known without it."""
PRIOR_MEAN = 0.5
TRIALS = 4
"""How many tasks of a type a new agent is tried with before it must have shown something."""
TRIAL_BONUS = 0.25
STALE_WEIGHT = 0.5
"""Below this weight a record has faded so far that one more task is tried."""
CAUTION = 0.5
"""How many standard errors are taken off what an agent has shown: a lucky one is not crowned."""
SLOW_SHARE = 0.2
"""What share of its worth a result loses at most by coming late."""
DURATION_SHARE = 0.1
PPM = 1_000_000

_NAMES = (ANY, *(regime.value for regime in Regime))

SkillKey = tuple[AgentId, TaskType, str]


class Skill(NamedTuple):
    """Decayed outcomes of one agent, type and regime; ``score_ppm`` is what assignment goes by.

    ``gain`` is the sum of worths in [0, 1] of ``weight`` outcomes, both as of ``slice``; ``trials`` counts
    without decay; ``duration_ms`` is a moving mean, machine time, 0 before the first.
    """

    weight: float = 0.0
    gain: float = 0.0
    trials: int = 0
    slice: int = 0
    duration_ms: float = 0.0
    score_ppm: int = 0


def decay(slices: int) -> float:
    """Return what is left of a weight after ``slices``: a half per half-life, straight in between.

    Only halves, products and sums, so that every machine decides alike.

    >>> decay(0), decay(HALF_LIFE_SLICES), decay(3 * HALF_LIFE_SLICES // 2)
    (1.0, 0.5, 0.375)
    """
    if slices <= 0:
        return 1.0
    halves, rest = divmod(slices, HALF_LIFE_SLICES)
    return 0.5 ** min(halves, 1_000) * (1.0 - 0.5 * rest / HALF_LIFE_SLICES)


def worth(*, quality: float, took_ms: float, usual_ms: float) -> float:
    """Return what a result is worth: its quality, less up to a fifth for coming late.

    >>> worth(quality=1.0, took_ms=50.0, usual_ms=100.0), worth(quality=1.0, took_ms=200.0, usual_ms=100.0)
    (1.0, 0.9)
    """
    speed = 1.0 if took_ms <= usual_ms or usual_ms <= 0 else usual_ms / took_ms
    return quality * (1.0 - SLOW_SHARE + SLOW_SHARE * speed)


class Skills:
    """All records; two are equal if they hold the same."""

    __slots__ = ("_regimes", "records")

    def __init__(self, records: Mapping[SkillKey, Skill] | None = None) -> None:
        self.records: dict[SkillKey, Skill] = {}
        # Under which words an agent's record of a type is kept, in their order.
        self._regimes: dict[tuple[AgentId, TaskType], tuple[str, ...]] = {}
        for key, record in (records or {}).items():
            self._put(key, record)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Skills) and self.records == other.records

    __hash__ = None  # type: ignore[assignment]

    def note(
        self,
        agent: AgentId,
        kind: TaskType,
        regime: Regime | None,
        *,
        quality: float | None,
        took_ms: float,
        slice_index: int,
    ) -> tuple[SkillKey, ...]:
        """Take in one outcome and score the agent anew; return the records that changed.

        Parameters
        ----------
        agent : AgentId
            Who did it.
        kind : TaskType
            What was done.
        regime : Regime or None
            In which regime; None where none is known.
        quality : float or None
            In [0, 1]; None means that the attempt failed, which is worth nothing.
        took_ms : float
            From claim to report, machine milliseconds.
        slice_index : int
            The present slice, from which outcomes fade.
        """
        changed = self.add(
            agent, kind, regime, quality=quality, took_ms=took_ms, slice_index=slice_index
        )
        return (*changed, *self.rescored(agent, kind, slice_index=slice_index, besides=changed))

    def add(
        self,
        agent: AgentId,
        kind: TaskType,
        regime: Regime | None,
        *,
        quality: float | None,
        took_ms: float,
        slice_index: int,
    ) -> list[SkillKey]:
        """Take in one outcome as :meth:`note` does, but leave the scores for :meth:`rescored`."""
        usual = self.records.get((EVERYBODY, kind, ANY), Skill())
        value = 0.0
        changed: list[SkillKey] = []
        if quality is not None:
            value = worth(quality=quality, took_ms=took_ms, usual_ms=usual.duration_ms)
            changed.append((EVERYBODY, kind, ANY))
            moved = _moved(usual, took_ms)
            self.records[EVERYBODY, kind, ANY] = Skill(
                usual.weight, usual.gain, usual.trials + 1, slice_index, moved, usual.score_ppm
            )
        for name in (ANY,) if regime is None else (ANY, regime.value):
            key = (agent, kind, name)
            old = self.records.get(key) or Skill(slice=slice_index)
            left = decay(slice_index - old.slice)
            fresh = Skill(
                old.weight * left + 1.0,
                old.gain * left + value,
                old.trials + 1,
                slice_index,
                old.duration_ms if quality is None else _moved(old, took_ms),
                old.score_ppm,
            )
            self._put(key, fresh)
            changed.append(key)
        return changed

    def refreshed(self, slice_index: int) -> Iterator[SkillKey]:
        """Let every record fade to ``slice_index`` and yield those whose score that changes."""
        for agent, kind in sorted({(agent, kind) for agent, kind, _ in self.records}):
            if agent != EVERYBODY:
                yield from self.rescored(agent, kind, slice_index=slice_index, besides=())

    def score_ppm(self, agent: AgentId, kind: TaskType, regime: Regime | None) -> int:
        """Return what a task of ``kind`` is worth in the hands of ``agent``, parts per million."""
        if regime is not None and (agent, kind, regime.value) in self.records:
            return self.records[agent, kind, regime.value].score_ppm
        known = self.records.get((agent, kind, ANY))
        return _ppm(PRIOR_MEAN + TRIAL_BONUS) if known is None else known.score_ppm

    def usual_ms(self, agent: AgentId | None, kind: TaskType) -> float | None:
        """Return how long a task of ``kind`` usually takes ``agent``, or anybody if it never did one.

        Machine milliseconds; None where nobody ever did one.
        """
        for name in (agent, EVERYBODY):
            record = None if name is None else self.records.get((name, kind, ANY))
            if record is not None and record.duration_ms > 0.0:
                return record.duration_ms
        return None

    def rescored(
        self, agent: AgentId, kind: TaskType, *, slice_index: int, besides: Iterable[SkillKey]
    ) -> tuple[SkillKey, ...]:
        """Score an agent's records of ``kind`` as of ``slice_index``; return those that changed ``besides``."""
        overall = self.records[agent, kind, ANY]
        changed: list[SkillKey] = []
        for name in self._regimes[agent, kind]:
            key = (agent, kind, name)
            record = self.records[key]
            score = cautious(record, overall, slice_index=slice_index)
            if score != record.score_ppm:
                self.records[key] = record._replace(score_ppm=score)
                if key not in besides:
                    changed.append(key)
        return tuple(changed)

    def _put(self, key: SkillKey, record: Skill) -> None:
        if key not in self.records:
            agent, kind, name = key
            known = (*self._regimes.get((agent, kind), ()), name)
            self._regimes[agent, kind] = tuple(sorted(known, key=_NAMES.index))
        self.records[key] = record


def estimate(record: Skill, overall: Skill, *, slice_index: int) -> tuple[float, float, float]:
    """Return mean, standard error and weight of what an agent is worth, as of ``slice_index``.

    A record in one regime leans on the agent's record over all, and that on the prior.
    """
    weight = overall.weight * decay(slice_index - overall.slice)
    gain = overall.gain * decay(slice_index - overall.slice)
    mean = (gain + PRIOR_WEIGHT * PRIOR_MEAN) / (weight + PRIOR_WEIGHT)
    if record is not overall:
        own = record.weight * decay(slice_index - record.slice)
        mean = (record.gain * decay(slice_index - record.slice) + PRIOR_WEIGHT * mean) / (
            own + PRIOR_WEIGHT
        )
        weight = own
    return mean, sqrt(mean * (1.0 - mean) / (weight + PRIOR_WEIGHT + 1.0)), weight


def cautious(record: Skill, overall: Skill, *, slice_index: int) -> int:
    """Return a score: what is likely at least, or a bonus while the agent is still being tried.

    The trials are bounded: so many tasks of a type when an agent is new, and one when its record has
    faded.
    """
    mean, error, weight = estimate(record, overall, slice_index=slice_index)
    if overall.trials < TRIALS or weight < STALE_WEIGHT:
        return _ppm(mean + TRIAL_BONUS)
    return _ppm(mean - CAUTION * error)


def _moved(record: Skill, took_ms: float) -> float:
    if record.duration_ms == 0.0:
        return took_ms
    return record.duration_ms + DURATION_SHARE * (took_ms - record.duration_ms)


def _ppm(share: float) -> int:
    return int(max(0.0, min(1.0, share)) * PPM)
