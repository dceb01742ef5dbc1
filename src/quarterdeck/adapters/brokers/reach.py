"""All that it takes to reach the remote venue of a run, also without its deck."""

from __future__ import annotations

from pathlib import Path

import msgspec

from quarterdeck.adapters.brokers.kept import KeptPaperBroker
from quarterdeck.adapters.brokers.paper import PaperBroker
from quarterdeck.execution.core.amounts import contract_of
from quarterdeck.execution.store import assumptions_of
from quarterdeck.market.model import Instrument
from quarterdeck.runtime.config import BrokerSection, PaperSection
from quarterdeck.runtime.folder import write_whole


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Which venue a run has, and what it trades there; kept beside the venue's requests."""

    broker: BrokerSection
    paper: PaperSection
    instruments: tuple[Instrument, ...]

    def save(self, path: Path) -> None:
        """Leave this for a process that must reach the venue without the deck."""
        write_whole(path, msgspec.json.encode(self))

    def venue(self, requests: Path) -> KeptPaperBroker:
        """Return the venue, whose requests are in the file ``requests``."""
        inside = PaperBroker(
            contracts=tuple(contract_of(instrument) for instrument in self.instruments),
            assumed=assumptions_of(
                self.paper, tuple(instrument.symbol for instrument in self.instruments)
            ),
            requests_per_bar=self.broker.requests_per_bar,
        )
        return KeptPaperBroker(inside, requests)
