"""How long a task rests between two attempts: exponential, with full jitter, without a generator."""

from __future__ import annotations

from quarterdeck.agents.core.matching import mixed
from quarterdeck.agents.core.policy import Policy
from quarterdeck.kernel.time import MILLISECOND


def delay_ns(number: int, attempt: int, *, policy: Policy) -> int:
    """Return how long task ``number`` rests after its ``attempt``, in nanoseconds of machine time.

    Uniform over 0 to ``retry_base_ms * 2**(attempt - 1)``, at most ``retry_most_ms``, by a hash of the
    two numbers, so that a replay rests as long (Brooker 2015, "Exponential Backoff And Jitter").

    >>> delay_ns(7, 1, policy=Policy(retry_base_ms=0)), delay_ns(7, 9, policy=Policy(retry_base_ms=1)) < 2.56e8
    (0, True)
    """
    longest = min(policy.retry_base_ms << (attempt - 1), policy.retry_most_ms)
    if longest <= 0:
        return 0
    return mixed(policy.seed, number & 0x7FFFFFFF, attempt) % longest * MILLISECOND
