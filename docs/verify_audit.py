"""Verifies Quarterdeck's audit chain with Python alone: SHA-256 of every record, then the heads.

    python verify_audit.py core.db|audit.jsonl [audit.heads [PUBLIC_KEY]]

Exit 0: all of it holds. Exit 1: the first record and the first head that do not are named.
"""

import hashlib
import json
import sqlite3
import sys
from pathlib import Path

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    InvalidSignature, Ed25519PublicKey = ValueError, None
TEXT = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


def rows_of(path):
    """Yield partition, sequence, record, hash in order, from a database or an exported JSONL."""
    with path.open("rb") as file:
        if file.read(15) != b"SQLite format 3":
            file.seek(0)
            for row in map(json.loads, file):
                text, digest = row["record"].encode(), bytes.fromhex(row["hash"])
                yield row["partition"], row["sequence"], text, digest
            return
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    yield from connection.execute(
        "SELECT partition, sequence, record, hash FROM audit ORDER BY partition, sequence"
    )
    connection.close()


def verify_chain(path, wanted):
    """Return the hashes of the wanted records, the records of each partition, and what is wrong."""
    hashes, counts, last, wrong = {}, {}, {}, {}
    for partition, sequence, record, digest in rows_of(path):
        if partition in wrong:
            continue
        place = (partition, counts.get(partition, 0) + 1)
        holds = hashlib.sha256(last.get(partition, bytes(32)) + record).digest() == digest
        said = json.loads(record) if holds else {}
        if (partition, sequence) != place or (said.get("partition"), said.get("sequence")) != place:
            wrong[partition] = f"{partition}: record {place[1]} does not follow from those before"
            continue
        counts[partition], last[partition] = sequence, digest
        if place in wanted:
            hashes[place] = digest.hex()
    return hashes, counts, list(wrong.values())


def check(head, line, place, key):
    """Raise unless ``line`` is the one text of ``head``, in its place and signed by ``key``."""
    signature, signer = bytes.fromhex(head["signature"]), bytes.fromhex(head["key"])
    if (head["number"], head["previous"]) != place or TEXT(head).encode() != line:
        raise ValueError("it does not follow from those before")
    if key not in (None, head["key"]) or head["signature"] != signature.hex():
        raise ValueError("it is signed by another key, or not as the deck signs")
    if Ed25519PublicKey is not None:
        blank = TEXT({**head, "signature": ""}).encode()
        Ed25519PublicKey.from_public_bytes(signer).verify(signature, blank)


def verify_heads(path, key):
    """Return the heads that hold, and what is wrong with the first that does not."""
    heads, previous = [], "0" * 64
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            heads.append(json.loads(line))
            check(heads[-1], line, (number, previous), key)
        except (ValueError, KeyError, TypeError, InvalidSignature) as error:
            return heads[: number - 1], [f"head {number}: {error or 'wrong signature'}"]
        previous = hashlib.sha256(line).hexdigest()
    return heads, []


def main(path, heads_path=None, key=None):
    """Say what holds and what does not; return the exit status."""
    heads, wrong = verify_heads(Path(heads_path), key) if heads_path else ([], [])
    hashes, counts, broken = verify_chain(
        Path(path), {(h["partition"], h["sequence"]) for h in heads}
    )
    for head in heads:
        if hashes.get((head["partition"], head["sequence"])) != head["hash"]:
            wrong.append(f"{head['partition']}: record {head['sequence']} is not what was signed")
            break
    said = [f"{partition}: {count} records hold" for partition, count in counts.items()]
    how = "" if Ed25519PublicKey else ", signatures NOT checked (no package cryptography)"
    said.append(f"heads: {len(heads)} hold{how}, keys: {sorted({head['key'] for head in heads})}")
    sys.stdout.write("\n".join([*said, *broken, *wrong, ""]))
    return 1 if broken or wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if 2 <= len(sys.argv) <= 4 else __doc__)
