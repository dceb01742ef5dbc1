"""The scheduler against task frameworks, like for like, in the same run on the same machine.

Two worker processes over sockets, no-op tasks of the same count, counted the same way. Throughput: from the
first submission to the last task begun in a worker. Dispatch: one task at a time to idle workers. The deck syncs every step to disk before it
answers; PostgreSQL syncs every commit; Redis syncs its file every second, and always for ``celery_synced``; dask
keeps everything in memory. Dispatch is held against the fastest of all, and of those as durable as the deck.
Claims and completions of the deck are batched by as many as Celery prefetches.
"""

# needs: bench

from __future__ import annotations

import os
import sys

import numpy as np

from benchmarks import _scheduler_peers as peers
from benchmarks._reporting import Figures, main, progress

ROUNDS = int(os.environ.get("QUARTERDECK_PEER_ROUNDS", "2"))


def measure() -> Figures:
    rates: dict[str, list[float]] = {}
    probes: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name in ("deck", *peers.PEERS):
            try:
                rate, took = peers.trial(name)
            except (OSError, RuntimeError) as error:
                progress(f"{name}: not measured: {error}")
                continue
            p50, p99 = np.quantile(took, (0.5, 0.99)) * 1_000
            progress(f"{name}: {rate:.0f} tasks/s, dispatch {p50:.2f} ms, p99 {p99:.2f} ms")
            rates.setdefault(name, []).append(rate)
            probes.setdefault(name, []).extend(took)
    own, own_p99 = max(rates["deck"]), float(np.quantile(probes["deck"], 0.99))
    figures: Figures = {
        "durable_tasks_per_s": own,
        "dispatch_p50_ms": 1_000 * float(np.quantile(probes["deck"], 0.5)),
        "dispatch_p99_ms": 1_000 * own_p99,
        "tasks": peers.TASKS,
        "batch": peers.BATCH,
        "rounds": ROUNDS,
    }
    for name in peers.PEERS:
        figures[f"vs_{name}_ratio"] = own / max(rates[name]) if name in rates else None
        known = name in probes
        figures[f"{name}_dispatch_p99_ms"] = (
            1_000 * float(np.quantile(probes[name], 0.99)) if known else None
        )
    for those, among in (("best", tuple(peers.PEERS)), ("best_synced", peers.SYNCED)):
        tails = [float(np.quantile(probes[name], 0.99)) for name in among if name in probes]
        figures[f"dispatch_p99_vs_{those}_peer_ratio"] = own_p99 / min(tails) if tails else None
    return figures


if __name__ == "__main__":
    sys.exit(
        main(
            "scheduler_peers",
            measure,
            claims={
                f"vs_{name}_ratio": "at least 3, at equal or better durability"
                for name in peers.PEERS
            }
            | {
                f"dispatch_p99_vs_{those}_peer_ratio": "at most 1"
                for those in ("best", "best_synced")
            },
        )
    )
