"""How long a task rests between two attempts: exponential, with full jitter, without a generator."""

from __future__ import annotations

import msgspec

from quarterdeck.agents.core.matching import mixed
from quarterdeck.kernel.time import MILLISECOND


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """``distinct_agents`` that failed a task make it a dead letter; ``seed`` is of [0, 2**31)."""

    base_ms: int = 0
    most_ms: int = 60_000
    distinct_agents: int = 5
    seed: int = 0


def delay_ns(number: int, attempt: int, *, policy: RetryPolicy) -> int:
    """Return how long task ``number`` rests after its ``attempt``, in nanoseconds.

    Uniform over 0 to ``base_ms * 2**(attempt - 1)``, at most ``most_ms``, by a hash of the two
    numbers, so that a replay rests as long (Brooker 2015, "Exponential Backoff And Jitter").

    >>> delay_ns(7, 1, policy=RetryPolicy()), delay_ns(7, 9, policy=RetryPolicy(base_ms=1)) < 2.56e8
    (0, True)
    """
    longest = min(policy.base_ms << (attempt - 1), policy.most_ms)
    if longest <= 0:
        return 0
    return mixed(policy.seed, number & 0x7FFFFFFF, attempt) % longest * MILLISECOND
