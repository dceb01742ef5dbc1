"""Agents' views as people see them: what they were worth, what is open, and what it comes to."""

from __future__ import annotations

from quarterdeck.kernel.errors import DomainError
from quarterdeck.portfolio.core.convictions import NEED
from quarterdeck.portfolio.core.sums import published
from quarterdeck.portfolio.model import GetViews, OutlookRow, SkillRow, ViewRow, ViewsView
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.portfolio.service.basis import prior_of
from quarterdeck.runtime.policy import Caller


def views(service: PortfolioService, _query: GetViews, _caller: Caller) -> ViewsView:
    """Return skills, open views and what is expected with them, per year."""
    kept, year = service.convictions, service.periods_per_year
    outlook = service.outlook()
    rows: tuple[OutlookRow, ...] = ()
    reason = None if outlook is not None else "the window of joint returns is not full yet"
    if outlook is not None:
        try:
            sample = service.sample()
            prior = prior_of(sample.config, outlook.covariance, market=sample.market)
            means = kept.mean(outlook.covariance, prior=prior).tolist()
            rows = tuple(
                OutlookRow(
                    symbol=symbol,
                    prior=published(before * year),
                    expected_return=published(after * year),
                )
                for symbol, before, after in zip(
                    service.symbols, prior.tolist(), means, strict=True
                )
            )
        except DomainError as refusal:
            reason = refusal.message
    skills = {agent: kept.skills[agent] for agent in sorted(kept.skills)}
    return ViewsView(
        skills=tuple(
            SkillRow(
                agent=agent,
                scored=skill.scored,
                need=NEED,
                correlation=None if skill.correlation is None else published(skill.correlation),
                confidence=None if skill.confidence is None else published(skill.confidence),
            )
            for agent, skill in skills.items()
        ),
        views=tuple(
            ViewRow(
                signal_id=view.signal_id,
                agent=view.agent,
                symbol=service.symbols[view.instrument],
                strength=view.strength,
                expires_slice=view.until,
                expected_return=None
                if outlook is None
                else published(kept.expected(view, outlook.covariance) * year),
                confidence=published(skills[view.agent].confidence or 0.0)
                if view.agent in skills
                else 0.0,
            )
            for view in kept.open_views()
        ),
        outlook=rows,
        reason=reason,
    )
