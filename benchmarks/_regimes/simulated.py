"""The figures of SIM, with the pool of real days that family C is spliced from and all peers."""

from __future__ import annotations

from benchmarks._regimes import peers
from benchmarks._regimes.paths import Pool, path_of
from benchmarks._regimes.pools import (
    EMBEDDED_SERIES,
    RESEARCH_SERIES,
    digest,
    embedded_pool,
    research_pool,
)
from benchmarks._regimes.sim import (
    FAMILIES,
    TEST,
    TRAIN,
    VALIDATION,
    Rows,
    family_rows,
    head_scores,
    prefix_differences,
    sim_head,
)
from benchmarks._reporting import Figures, progress


def figures() -> Figures:
    """Return SIM with the research pool where it is present, and with the embedded days beside it."""
    research, embedded = research_pool(), embedded_pool()
    judged = research or embedded
    found: Figures = {
        "sim_pool": "research" if research else "embedded",
        "sim_pool_series": " ".join(RESEARCH_SERIES if research else EMBEDDED_SERIES),
        "sim_pool_digest": digest(judged),
        "sim_pool_days": len(judged.days),
        "sim_embedded_pool_series": " ".join(EMBEDDED_SERIES),
        "sim_embedded_pool_digest": digest(embedded),
    }
    training, tests = paths(judged)
    found.update(_ours(training, tests, judged))
    validation = family_rows("A", VALIDATION, judged, test=False)
    found.update(_theirs(training["A"], validation, tests, found))
    if research:
        progress("SIM: family C from the embedded days")
        train = family_rows("C", TRAIN, embedded, test=False)
        test = family_rows("C", TEST, embedded, test=True)
        mixture = sim_head([training["A"], training["B"], train])
        row = head_scores(mixture, test)
        found["sim_c_embedded_pool_balanced_accuracy"] = row["balanced_accuracy"]
    return found


def paths(pool: Pool) -> tuple[dict[str, Rows], dict[str, Rows]]:
    """Return the training and the test rows of the three families."""
    training, tests = {}, {}
    for family in FAMILIES:
        progress(f"SIM: paths of family {family}")
        training[family] = family_rows(family, TRAIN, pool, test=False)
        tests[family] = family_rows(family, TEST, pool, test=True)
    return training, tests


def _ours(training: dict[str, Rows], tests: dict[str, Rows], pool: Pool) -> Figures:
    progress("SIM: the head trained on A")
    alone = sim_head([training["A"]])
    a = {family: head_scores(alone, tests[family]) for family in FAMILIES}
    progress("SIM: the head trained on A, B and C")
    mixture = sim_head([training[family] for family in FAMILIES])
    abc = {family: head_scores(mixture, tests[family]) for family in FAMILIES}
    progress("SIM: CAUSALITY")
    markets = [path_of(family, TEST[0], pool, test=True) for family in FAMILIES]
    found: Figures = {"sim_prefix_differences": prefix_differences([alone, mixture], markets)}
    found |= {f"sim_a_{name}": value for name, value in a["A"].items()}
    for family in FAMILIES:
        for name, value in abc[family].items():
            found[f"sim_mixture_{family.lower()}_{name}"] = value
    for family in "BC":
        found[f"sim_unseen_{family.lower()}_balanced_accuracy_raw"] = a[family][
            "balanced_accuracy_raw"
        ]
    found["sim_mean_abc_balanced_accuracy"] = sum(
        abc[family]["balanced_accuracy"] for family in FAMILIES
    ) / len(FAMILIES)
    found["selective_accuracy_at_80pct"] = abc["A"]["selective_accuracy_at_80pct"]
    found["ece_own"] = abc["A"]["ece"]
    found["ece_unseen"] = (a["B"]["ece"] + a["C"]["ece"]) / 2.0
    return found


def _theirs(training: Rows, validation: Rows, tests: dict[str, Rows], ours: Figures) -> Figures:
    found: Figures = {}
    told = peers.plain(validation, tests)
    for states in peers.STATES:
        progress(f"SIM: hmmlearn with {states} states")
        told[f"hmm{states}"] = peers.hmm(training, validation, tests, states)
    progress("SIM: jumpmodels")
    told["jump"] = peers.jump(training, validation, tests)
    for name, peer in told.items():
        found[f"sim_{name}_chosen"] = peer.chosen
        for family, value in peer.balanced_accuracy.items():
            found[f"sim_{family.lower()}_{name}_balanced_accuracy"] = value

    def number(name: str) -> float:
        return float(ours[name] if name in ours else found[name] or 0.0)  # type: ignore[arg-type]

    found["sim_a_vs_hmm16_ratio"] = number("sim_a_balanced_accuracy") / number(
        "sim_a_hmm16_balanced_accuracy"
    )
    found["sim_unseen_vs_hmm16_ratio"] = sum(
        number(f"sim_unseen_{family}_balanced_accuracy_raw") for family in "bc"
    ) / sum(number(f"sim_{family}_hmm16_balanced_accuracy") for family in "bc")
    return found
