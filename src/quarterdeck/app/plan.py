"""What one start is to run, and the manifest that says so."""

from __future__ import annotations

from dataclasses import dataclass, field

from quarterdeck import __version__
from quarterdeck.adapters.feeds.replay import ReplayFeed
from quarterdeck.kernel.ids import AccountId
from quarterdeck.kernel.money import MONEY_SCALE, to_units
from quarterdeck.kernel.time import rfc3339
from quarterdeck.runtime.config import Config
from quarterdeck.runtime.database import SCHEMA_VERSION
from quarterdeck.runtime.folder import DataFolder
from quarterdeck.runtime.manifest import Manifest, code_digest
from quarterdeck.runtime.program import Program

ACCOUNT = AccountId("paper")
EMBEDDED = "embedded daily history"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The configuration and what the command line made of it; ``speed`` null is flat out.

    ``any_port`` lets the server take a free port when the configured one is taken; ``worker`` lets
    the deck start its own worker when there is work for it; ``code_digest`` is
    that of the sources as they are when the plan is made.
    """

    config: Config
    folder: DataFolder
    feed: ReplayFeed
    source: str
    speed: float | None
    members: tuple[str, ...]
    any_port: bool
    worker: bool = False
    code_digest: str = field(default_factory=code_digest)

    @property
    def span(self) -> str:
        """The replayed span, as people write it."""
        return f"{rfc3339(self.feed.first)[:10]} to {rfc3339(self.feed.last)[:10]}"

    @property
    def capital_units(self) -> int:
        """The paper capital of a built-in agent, in money units."""
        return to_units(self.config.paper.capital, scale=MONEY_SCALE, field="paper.capital")

    def manifest(self, *, kernel_digest: str) -> Manifest:
        """Return all that decides the run."""
        return Manifest(
            feed=self.source,
            feed_digest=self.feed.digest,
            symbols=",".join(self.feed.symbols),
            span=self.span,
            agents=",".join(self.members),
            seed=str(self.config.run.seed),
            config_digest=self.config.digest(),
            code_digest=self.code_digest,
            kernel_digest=kernel_digest,
        )

    def program(self, *, kernel_digest: str) -> Program:
        """Return what this start would run it with."""
        return Program(
            version=__version__,
            schema_version=SCHEMA_VERSION,
            code_digest=self.code_digest,
            kernel_digest=kernel_digest,
            config_digest=self.config.digest(),
            config=self.config.judged(),
        )
