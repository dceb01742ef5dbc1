"""The life of a claim: several at once, rests and retries, dead letters, expiry, policies, progress."""

from __future__ import annotations

import pytest

from quarterdeck.agents.core import jitter
from quarterdeck.agents.core.policy import Policy
from quarterdeck.agents.model import (
    ClaimWork,
    CompleteMany,
    DismissTask,
    DrainAgent,
    FailurePolicy,
    GetAgent,
    GetWork,
    NewTask,
    Presence,
    RedriveTask,
    RenewLease,
    Report,
    ResumeAgent,
    SubmitTasks,
    TaskState,
)
from quarterdeck.agents.service import people, report
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound, Overloaded
from quarterdeck.kernel.messages import NumbersPublished
from quarterdeck.kernel.time import MILLISECOND, Nanos
from quarterdeck.kernel.vocabulary import TaskType
from quarterdeck.risk.model import Response, ResponseState, RiskResponded, RiskScope
from quarterdeck.runtime.config import AgentsSection
from quarterdeck.runtime.policy import OPERATOR_CALLER
from tests.unit.agents.test_work import held


def new(**fields) -> NewTask:
    return NewTask(**{"type": TaskType.RESEARCH, "title": "t", "capability": "c", **fields})


def fail(deck, who: str) -> None:
    claim = held(deck.claim(who))
    deck.complete(who, claim.task_id, claim.lease_token, failed=True, reason="no")


def test_several_are_claimed_and_handed_in_at_once(deck) -> None:
    deck.outside("ann", "c", slots=10)
    tasks = deck.do("submit_many", SubmitTasks(idempotency_key="b", tasks=(new(),) * 9)).task_ids
    answer = deck.do("claim", ClaimWork(most=5), "ann")
    claims = (held(answer), *answer.more)
    assert [c.task_id for c in claims] == list(tasks[:5])
    rest = deck.do("claim", ClaimWork(most=5), "ann")
    assert len(rest.more) == 1, "seven of ten slots are for ordinary work"
    reports = [Report(task_id=c.task_id, lease_token=c.lease_token) for c in claims]
    reports.insert(2, Report(task_id=tasks[8], lease_token="x"))
    settled = deck.do("complete_many", CompleteMany(reports=tuple(reports)), "ann").settled
    assert [s.state for s in settled].count(TaskState.COMPLETED) == 5
    assert settled[2].code == "STALE_LEASE"
    again = deck.do("complete_many", CompleteMany(reports=tuple(reports)), "ann").settled
    assert again == settled
    assert not deck.last.rows


def test_tasks_of_one_request_depend_on_each_other_or_none_is_taken(deck) -> None:
    deck.outside("ann", "c", slots=10)
    fan = (new(), new(), new(depends_on=("#0", "#1")))
    ids = deck.do("submit_many", SubmitTasks(idempotency_key="b", tasks=fan)).task_ids
    assert [deck.state_of(i) for i in ids] == ["ready", "ready", "blocked"]
    for _ in range(2):
        claim = held(deck.claim("ann"))
        deck.complete("ann", claim.task_id, claim.lease_token)
    assert held(deck.claim("ann")).task_id == ids[2]
    for bad, field in (
        ((new(depends_on=("#0",)),), "tasks[0].depends_on"),
        ((new(), new(title="")), "tasks[1].title"),
        ((new(), new(depends_on=("#7",))), "tasks[1].depends_on"),
        ((new(delay_s=-1),), "tasks[0].delay_s"),
        ((), "tasks"),
    ):
        with pytest.raises(InvalidInput) as refusal:
            deck.do("submit_many", SubmitTasks(idempotency_key="x", tasks=bad))
        assert refusal.value.field == field
    with pytest.raises(NotFound):
        deck.do("submit_many", SubmitTasks(idempotency_key="x", tasks=(new(depends_on=("q",)),)))
    assert deck.service.board.last_number == 3


def test_a_batch_that_does_not_fit_is_refused_whole(deck_with) -> None:
    deck = deck_with(AgentsSection(max_open_tasks=3))
    with pytest.raises(Overloaded):
        deck.do("submit_many", SubmitTasks(idempotency_key="b", tasks=(new(),) * 4))
    assert deck.service.board.open == 0


def test_a_failed_task_rests_longer_each_time_and_never_beyond_the_bound() -> None:
    policy = Policy(retry_base_ms=1_000, retry_most_ms=5_000)
    for attempt in range(1, 8):
        longest = min(1_000 << (attempt - 1), 5_000) * MILLISECOND
        rests = [jitter.delay_ns(number, attempt, policy=policy) for number in range(2_000)]
        assert 0 <= min(rests) < longest / 20
        assert longest * 0.95 < max(rests) < longest
        assert abs(sum(rests) / len(rests) / longest - 0.5) < 0.03


def test_a_retry_waits_for_its_instant_and_says_when_it_is(deck_with) -> None:
    deck = deck_with(AgentsSection(retry_base_ms=60_000))
    deck.outside("ann", "c")
    task = deck.task()
    fail(deck, "ann")
    answer = deck.claim("ann")
    assert answer.claim is None
    assert 0 < answer.due_ms <= 60_000
    assert deck.state_of(task.task_id) == "delayed"
    deck.pass_seconds(60)
    assert held(deck.claim("ann")).attempt == 2


def test_what_different_agents_fail_is_dead_until_it_is_driven_again(deck) -> None:
    for name in ("ann", "bob", "cat"):
        deck.outside(name, "c")
    task = deck.task(max_attempts=10)
    for name in ("ann", "bob", "cat"):
        fail(deck, name)
    assert deck.state_of(task.task_id) == "dead"
    assert letters(deck) == 1
    fresh = deck.do(
        "redrive", RedriveTask(idempotency_key="r", task_id=task.task_id, reason="fixed")
    )
    assert (fresh.state, fresh.attempt, fresh.max_attempts) == (TaskState.READY, 0, 10)
    assert held(deck.claim("ann")).task_id == fresh.task_id
    assert letters(deck) == 0
    for again in (fresh, task):
        with pytest.raises(Conflict):
            deck.do("redrive", RedriveTask(idempotency_key="q", task_id=again.task_id, reason="r"))


def letters(deck) -> int:
    """How many dead letters are published, which the queues and a restarted deck say, too."""
    said = [m for m in deck.bars().messages if isinstance(m, NumbersPublished)]
    found = next(m.values["deck"] for m in said if m.name == "agents.dead_letters_count")
    assert report.work(deck.service, GetWork(), OPERATOR_CALLER).dead_letters == found
    assert len(deck.restarted().board.letters) == found
    return int(found)


def test_a_dead_letter_is_dismissed_once_and_stays_on_record(deck) -> None:
    for name in ("ann", "bob", "cat"):
        deck.outside(name, "c")
    task = deck.task(max_attempts=10)
    with pytest.raises(Conflict):
        deck.do("dismiss", DismissTask(task_id=task.task_id, reason="early"))
    for name in ("ann", "bob", "cat"):
        fail(deck, name)
    assert letters(deck) == 1
    for reason in ("of no use any more", "again"):
        told = deck.do("dismiss", DismissTask(task_id=task.task_id, reason=reason))
        assert (told.state, told.answered) == ("dead", "dismissed: of no use any more")
        assert told.why.endswith("dismissed: of no use any more")
    assert letters(deck) == 0
    deck.service = deck.restarted()
    with pytest.raises(Conflict):
        deck.do("redrive", RedriveTask(idempotency_key="q", task_id=task.task_id, reason="r"))


def test_the_seed_that_is_configured_chooses_alike_and_another_one_otherwise(deck_with) -> None:
    rests = []
    for seed in (7, 7, 8):
        deck = deck_with(AgentsSection(retry_base_ms=3_600_000, tie_break_seed=seed))
        deck.outside("ann", "c")
        task = deck.task()
        fail(deck, "ann")
        rests.append(deck.service.board.tasks[task.task_id].not_before)
        assert deck.service.policy.seed == seed
    assert rests[0] == rests[1] != rests[2]


def test_late_work_is_not_done(deck) -> None:
    deck.outside("ann", "c", slots=10)
    waiting, in_hand = deck.task(expires_s=10), deck.task(expires_s=10, delay_s=0)
    claims = [held(deck.claim("ann")) for _ in range(2)]
    deck.complete("ann", waiting.task_id, claims[0].lease_token)
    stale = deck.task(expires_bars=2)
    deck.pass_seconds(11)
    deck.bars()
    assert deck.state_of(waiting.task_id) == "completed"
    assert deck.state_of(in_hand.task_id) == "cancelled"
    with pytest.raises(Conflict):
        deck.complete("ann", in_hand.task_id, claims[1].lease_token)
    deck.bars()
    assert deck.state_of(stale.task_id) == "ready"
    deck.bars()
    assert deck.state_of(stale.task_id) == "cancelled"


def test_a_delayed_task_starts_at_its_instant(deck) -> None:
    deck.outside("ann", "c")
    task = deck.task(delay_s=5)
    assert task.state is TaskState.DELAYED
    assert task.why.startswith("rests until")
    assert deck.claim("ann").claim is None
    deck.pass_seconds(5)
    assert deck.claim("ann").due_ms == 1
    deck.pass_seconds(1)
    assert held(deck.claim("ann")).task_id == task.task_id


@pytest.mark.parametrize(
    ("policy", "becomes", "below"),
    [(FailurePolicy.FAIL, "failed", "failed"), (FailurePolicy.CANCEL, "cancelled", "failed"),
     (FailurePolicy.SKIP, "skipped", "ready"), (FailurePolicy.RUN, "ready", "blocked")],
)  # fmt: skip
def test_each_failure_policy_does_what_it_says(deck, policy, becomes, below) -> None:
    deck.outside("ann", "c")
    first = deck.task(max_attempts=1)
    second = deck.task(depends_on=(first.task_id,), on_failure=policy)
    third = deck.task(depends_on=(second.task_id,))
    fail(deck, "ann")
    assert deck.state_of(second.task_id) == becomes
    assert deck.state_of(third.task_id) == below


def test_progress_is_told_and_forgotten_with_the_attempt(deck) -> None:
    deck.outside("ann", "c")
    task = deck.task()
    claim = held(deck.claim("ann"))
    word = {"task_id": task.task_id, "lease_token": claim.lease_token}
    deck.do("renew", RenewLease(**word, progress_fraction=0.4, note="2 of 5"), "ann")
    kept = deck.service.board.tasks[task.task_id]
    assert (kept.progress, kept.note) == (0.4, "2 of 5")
    deck.do("renew", RenewLease(**word), "ann")
    assert deck.service.board.tasks[task.task_id].progress == 0.4
    for bad in (1.1, -0.1, float("nan")):
        with pytest.raises(InvalidInput):
            deck.do("renew", RenewLease(**word, progress_fraction=bad), "ann")
    deck.complete("ann", task.task_id, claim.lease_token, failed=True, reason="no")
    assert deck.service.board.tasks[task.task_id].progress is None


def test_an_agent_drains_and_one_that_always_fails_is_quarantined(deck_with) -> None:
    deck = deck_with(AgentsSection(retry_base_ms=0, quarantine_failures=2))
    deck.outside("ann", "c", slots=2)

    def presence() -> Presence:
        return people.agent(deck.service, GetAgent(agent="ann"), None).presence

    assert presence() is Presence.REGISTERING
    deck.task(max_attempts=9)
    claim = held(deck.claim("ann"))
    assert presence() is Presence.READY
    deck.do("set_state", DrainAgent(agent="ann", reason="upgrade"))
    assert presence() is Presence.DRAINING
    deck.task()
    assert deck.claim("ann").reason == "ann is draining: upgrade"
    deck.complete("ann", claim.task_id, claim.lease_token, failed=True, reason="no")
    assert presence() is Presence.PAUSED
    deck.do("set_state", ResumeAgent(agent="ann", reason="back"))
    fail(deck, "ann")
    assert presence() is Presence.QUARANTINED
    assert deck.restarted().members == deck.service.members
    deck.do("set_state", ResumeAgent(agent="ann", reason="mended"))
    held(deck.claim("ann"))
    deck.pass_seconds(200)
    deck.bars()
    assert presence() in (Presence.GONE, Presence.QUARANTINED)
    deck.do("set_state", ResumeAgent(agent="ann", reason="mended again"))
    deck.service = deck.restarted()
    assert presence() is Presence.GONE, "it has worked, and was not heard of since the start"


def test_work_that_is_held_many_times_as_long_as_usual_is_stuck(deck) -> None:
    deck.outside("ann", "c", slots=4)
    deck.outside("bob", "c", slots=4)

    def stuck(name: str, service=None) -> tuple[str, ...]:
        return people.agent(service or deck.service, GetAgent(agent=name), None).stuck

    for _ in range(2):
        deck.task(lease_s=3_600)
    first = held(deck.claim("ann"))
    deck.pass_seconds(4_000)
    deck.bars()
    assert stuck("ann") == (), "nobody has shown yet how long such work takes"
    second = held(deck.claim("ann"))
    deck.pass_seconds(60)
    deck.complete("ann", second.task_id, second.lease_token)
    third = held(deck.claim("bob"))
    deck.pass_seconds(601)
    deck.bars()
    assert stuck("bob") == (third.task_id,), "ten times what ann took"
    assert stuck("ann") == ()
    assert first.task_id == third.task_id, "the lease that ann let end"
    later = deck.restarted()
    later.seen_at = deck.service.seen_at
    assert stuck("bob", later) == stuck("bob")


def test_a_risk_event_that_pauses_an_agent_gives_it_no_further_work_until_it_is_resumed(
    deck,
) -> None:
    deck.outside("ann", "c")
    deck.task()
    deck.hear(
        RiskResponded(
            at=Nanos(1),
            slice=0,
            response_id="rsp-1",
            response=Response.PAUSE_AGENT,
            state=ResponseState.CARRIED_OUT,
            scope=RiskScope.AGENT,
            subject="ann",
            reason="ann is 12.0% below its peak",
            by="deck",
        )
    )
    deck.service = deck.restarted()
    view = people.agent(deck.service, GetAgent(agent="ann"), None)
    assert (view.state, view.reason) == ("paused", "risk: ann is 12.0% below its peak")
    assert deck.claim("ann").claim is None
    deck.do("set_state", ResumeAgent(agent="ann", reason="looked at"))
    assert deck.claim("ann").claim is not None
