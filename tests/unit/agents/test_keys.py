"""Keys: what is shown is what opens, and what is kept opens nothing."""

from __future__ import annotations

import pytest

from quarterdeck.agents.core import keys
from quarterdeck.agents.model import IssueKey, RegisterAgent, RevokeKey
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound, Overloaded, Unavailable
from quarterdeck.runtime.policy import CallerKind, Permission


def test_a_key_opens_for_its_agent_with_its_scopes(deck) -> None:
    issued = deck.outside("ann", "c")
    caller = deck.service.authenticate(issued.key)
    assert caller is not None
    assert (caller.identity, caller.kind) == ("ann", CallerKind.AGENT)
    assert caller.permissions == {
        Permission.READ,
        Permission.WORK,
        Permission.SIGNAL,
        Permission.ORDER_PAPER,
    }
    assert issued.key.startswith(f"qd_{issued.prefix}_")
    assert len(issued.key) == 3 + 8 + 1 + 43


def test_the_secret_is_nowhere_in_the_database(deck) -> None:
    issued = deck.outside("ann")
    dump = "\n".join(deck.connection.iterdump())
    secret = issued.key.rsplit("_", 1)[1]
    assert secret not in dump
    assert issued.prefix in dump
    assert secret not in str(deck.last.audits)


@pytest.mark.parametrize("spoil", [
    lambda key: key[:-1] + ("a" if key[-1] != "a" else "b"),
    lambda key: key[:-1],
    lambda key: key + "a",
    lambda key: key.upper(),
    lambda key: "qd_00000000_" + key[12:],
    lambda key: "",
    lambda key: "Bearer " + key,
    lambda key: key.replace("qd_", "qd-"),
    lambda key: key + "\n",
    lambda key: key[:-1] + "é",
    lambda key: key[:-1] + "\ud800",
])  # fmt: skip
def test_anything_but_the_key_opens_nothing(deck, spoil) -> None:
    issued = deck.outside("ann")
    assert deck.service.authenticate(spoil(issued.key)) is None


def test_a_revoked_key_opens_nothing_and_the_other_still_does(deck) -> None:
    first = deck.outside("ann")
    second = deck.do("issue_key", IssueKey(agent="ann", scopes=("read",)))
    view = deck.do("revoke_key", RevokeKey(prefix=first.prefix, reason="lost"))
    assert view.revoked_at is not None
    assert deck.service.authenticate(first.key) is None
    caller = deck.service.authenticate(second.key)
    assert caller is not None
    assert caller.permissions == {Permission.READ}
    assert deck.restarted().authenticate(first.key) is None
    assert deck.restarted().authenticate(second.key) == caller
    again = deck.do("revoke_key", RevokeKey(prefix=first.prefix, reason="again"))
    assert again == view


def test_a_key_never_holds_more_than_its_agent(deck) -> None:
    deck.do("register", RegisterAgent(name="ann", scopes=("read",)))
    with pytest.raises(InvalidInput, match="scopes"):
        deck.do("issue_key", IssueKey(agent="ann", scopes=("read", "order:paper")))


@pytest.mark.parametrize(("fields", "field"), [
    ({"name": "operator"}, "name"), ({"name": "deck"}, "name"), ({"name": "A"}, "name"),
    ({"name": "a"}, "name"), ({"name": "a" * 33}, "name"), ({"name": "an\nn"}, "name"),
    ({"scopes": ()}, "scopes"), ({"scopes": ("operate",)}, "scopes"),
    ({"capital": "0"}, "capital"), ({"capital": "-1"}, "capital"), ({"capital": "NaN"}, "capital"),
    ({"capital": "Infinity"}, "capital"), ({"capital": "1e999"}, "capital"),
    ({"capital": "1000000000.000001"}, "capital"), ({"capital": "0.0000001"}, "capital"),
    ({"slots": 0}, "slots"), ({"slots": 101}, "slots"), ({"label": "x" * 81}, "label"),
    ({"capabilities": ("UP",)}, "capabilities"), ({"capabilities": ("",)}, "capabilities"),
])  # fmt: skip
def test_a_malformed_registration_is_refused_and_names_its_field(deck, fields, field) -> None:
    with pytest.raises(InvalidInput) as refusal:
        deck.do("register", RegisterAgent(**{"name": "ann", **fields}))
    assert refusal.value.field == field
    assert deck.service.members == {}


def test_a_name_is_taken_once_and_the_capital_is_told_in_units(deck) -> None:
    deck.do("register", RegisterAgent(name="ann", capital="250.5"))
    assert [m.capital_units for m in deck.said] == [250_500_000]
    with pytest.raises(Conflict) as refusal:
        deck.outside("ann")
    assert refusal.value.code == "AGENT_EXISTS"


def test_built_in_agents_have_no_keys_and_unknown_ones_are_not_found(deck) -> None:
    deck.builtin("trend", "c")
    with pytest.raises(Conflict):
        deck.do("issue_key", IssueKey(agent="trend"))
    with pytest.raises(NotFound):
        deck.do("issue_key", IssueKey(agent="nobody"))
    with pytest.raises(NotFound):
        deck.do("revoke_key", RevokeKey(prefix="00000000", reason="r"))


def test_keys_in_force_are_bounded(deck) -> None:
    deck.outside("ann")
    for _ in range(19):
        deck.do("issue_key", IssueKey(agent="ann"))
    with pytest.raises(Overloaded) as refusal:
        deck.do("issue_key", IssueKey(agent="ann"))
    assert refusal.value.code == "TOO_MANY_KEYS"


def test_a_source_of_secrets_that_repeats_itself_is_refused(deck) -> None:
    class Stuck:
        def token(self, nbytes: int) -> str:
            return "s" * 43

    deck.service.secrets = Stuck()
    deck.outside("ann")
    with pytest.raises(Unavailable):
        deck.outside("bob")


def test_an_unknown_key_takes_the_same_comparison_and_is_never_the_same() -> None:
    key = "qd_0123abcd_" + "x" * 43
    assert keys.same_key(key, keys.digest_of(key))
    assert not keys.same_key(key, None)
    assert not keys.same_key(key, bytes(32))
