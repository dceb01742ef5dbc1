"""The audit chain, a page at a time."""

from __future__ import annotations

import msgspec

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.runtime.audit import Record
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.state import History
from quarterdeck.server.desk.model import AuditRecordView, AuditView, GetAudit

MAX_PAGE = 1_000
LAST = 2**63 - 1


class AuditDesk:
    """Answers from the database; keeps nothing."""

    async def audit(self, query: GetAudit, caller: Caller, history: History) -> AuditView:  # noqa: ARG002
        """Return a page of the chain, newest first."""
        if not 1 <= query.limit <= MAX_PAGE:
            raise InvalidInput.of("limit", query.limit, f"1 to {MAX_PAGE}")
        if query.before is not None and not 1 <= query.before <= LAST:
            raise InvalidInput.of("before", query.before, "a sequence number")
        rows = await history.rows(
            "server.audit_page",
            partition=query.partition,
            before=LAST if query.before is None else query.before,
            limit=query.limit,
        )
        records = []
        for row in rows:
            record = msgspec.json.decode(bytes(row["record"]), type=Record)
            records.append(
                AuditRecordView(
                    sequence=record.sequence,
                    step=record.step,
                    at=rfc3339(Nanos(record.at)),
                    kind=record.kind,
                    actor=record.actor,
                    body=record.body,
                    hash=bytes(row["hash"]).hex(),
                )
            )
        full = len(records) == query.limit and records[-1].sequence > 1
        return AuditView(
            partition=query.partition,
            records=tuple(records),
            next=records[-1].sequence if full else None,
        )
