"""The books of a data folder, folded anew from the first row, with or without a running deck."""

from __future__ import annotations

import json
from pathlib import Path

from quarterdeck.app.invariants.folding import counted, folded
from quarterdeck.cli.audit import reading
from quarterdeck.runtime.program import programs
from quarterdeck.runtime.seal import first_damage, read_seal


def run(data_dir: Path, *, as_json: bool) -> int:
    """Fold every row and compare; exit 1 and name the rule and the row of what does not hold."""
    with reading(data_dir) as reader:
        found, rows, ran = folded(reader), counted(reader), programs(reader)
    # A seal is there only while no deck has opened the file since its orderly end.
    sealed = read_seal(data_dir / "core.seal")
    damage = None if sealed is None else first_damage(data_dir / "core.db", sealed)
    whole = not found and damage is None
    if as_json:
        violations = [{"rule": each.rule, "text": each.text} for each in found]
        told = {"ok": whole, "rows": rows, "violations": violations}
        told["programs"] = [
            {"from_step": step, "version": one.version, "code_digest": one.code_digest}
            for step, one in ran
        ]
        told["seal"] = None if sealed is None else {"step": sealed.step, "damage": damage}
        print(json.dumps(told, indent=2))
        return 0 if whole else 1
    print(", ".join(f"{count:,} {name}" for name, count in rows.items()))
    for step, one in ran:
        print(f"from step {step:,} on: version {one.version}, code {one.code_digest[:12]}")
    if sealed is not None:
        print(
            f"seal of step {sealed.step}: {'every page is as it was' if damage is None else damage}"
        )
    for each in found:
        print(f"  {each.rule}: {each.text}")
    print("every rule holds" if not found else f"{len(found)} rules do not hold")
    return 0 if whole else 1
