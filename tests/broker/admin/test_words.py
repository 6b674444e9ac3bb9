"""Support reads sentences: every state, reason, action, outcome and failure has one."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.admin.verbs import OUTCOMES, VERBS
from broker.services import advice, plain_words, timeline
from broker.services.renewal_attempt import Outcome
from broker.services.renewal_outcomes import UNSUPPORTED
from tenants.models import ExpiryNotice, Operation, Reason, State

PROJECT = Path(__file__).resolve().parents[3]
EVERY = list(itertools.product(State, Reason))
CODE = re.compile(
    r"(audit|authorization|caller|connect_session|connection|credential|feedback|issuer|registration|staff|tenant|token|request|webhook)"
    r"\.[a-z_]+"
)
# Codes that are put together while running, with everything that can fill the gap.
ASSEMBLED = {
    "authorization.{outcome}": ("account_mismatch", "account_unconfirmed"),
    "credential.{outcome.value}": ("revoked", "given_up"),
    "{self.audited_as}.changed": ("tenant", "caller", "registration", "issuer"),
}


@pytest.mark.parametrize(("state", "reason"), EVERY)
def test_every_state_and_reason_says_what_is_the_matter_and_one_next_step(state: State, reason: Reason) -> None:
    given = advice.advise(state.value, reason.value)
    assert given.matter.endswith(".")
    assert given.next_step.endswith(".")
    assert given.action in ("", *VERBS)
    assert not re.search(r"[a-z]_[a-z]", given.matter + given.next_step), "a code is not a plain word"


@pytest.mark.parametrize("state", [State.DEGRADED, State.REAUTHORIZATION_REQUIRED])
def test_reasons_are_told_apart(state: State) -> None:
    matters = [advice.advise(state, reason).matter for reason in Reason]
    assert len(set(matters)) == len(matters)


@pytest.mark.parametrize(("state", "reason"), EVERY)
def test_the_recommended_action_is_possible_in_that_state(state: State, reason: Reason) -> None:
    action = advice.advise(state, reason).action
    assert not action or state.value in VERBS[action].states


def test_a_dead_grant_sends_support_to_the_repair_link_and_a_refused_registration_to_the_operators() -> None:
    dead = advice.advise(State.REAUTHORIZATION_REQUIRED, Reason.GRANT_REVOKED)
    refused = advice.advise(State.REAUTHORIZATION_REQUIRED, Reason.GRANT_REVOKED, registration_refused=True)
    assert (dead.action, refused.action) == ("repair", "")
    assert "operators" in refused.next_step


def test_an_unconfirmed_revocation_is_told() -> None:
    done = advice.advise(State.DISCONNECTED, Reason.NONE)
    pending = advice.advise(State.DISCONNECTED, Reason.NONE, revocation_pending=True)
    assert "not confirmed" in pending.matter
    assert "not confirmed" not in done.matter


def test_every_action_code_in_the_code_has_a_sentence() -> None:
    codes = set(_codes())
    assert {
        "connection.degraded",
        "connection.account_mismatch",
        "credential.revoked",
        "authorization.account_mismatch",
    } <= codes
    assert not codes - set(timeline.ACTIONS), "no sentence for these"
    assert not set(timeline.ACTIONS) - codes, "sentences for what nobody writes"


@pytest.mark.parametrize("action", timeline.ACTIONS)
def test_sentences_survive_events_without_particulars(action: str) -> None:
    sentence = timeline.sentence(action, {})
    assert sentence.endswith(".")
    assert "None" not in sentence
    assert "{" not in sentence


def test_a_code_without_a_sentence_is_shown_as_it_is() -> None:
    assert timeline.sentence("moon.was_full", {}) == "moon: was full"


def test_the_provider_s_answer_and_the_missing_rights_are_in_the_sentence() -> None:
    detail = {"error": "invalid_grant", "description": "expired", "error_id": "4711", "missing": ["ea:sales"]}
    dead = timeline.sentence("connection.reauthorization_required", detail)
    assert "invalid_grant, expired" in dead
    assert "4711" in dead
    assert "Missing: ea:sales." in timeline.sentence("connection.degraded", detail)


def test_every_outcome_failure_and_reason_has_words() -> None:
    assert set(OUTCOMES) == set(Outcome)
    assert set(plain_words.STATE_WORDS) == set(State)
    assert set(plain_words.REASON_WORDS) == set(Reason)
    assert {"", *_failure_classes()} == set(plain_words.FAILURE_WORDS)
    assert set(plain_words.END_WORDS) == set(ExpiryNotice.Kind)


def _codes() -> Iterator[str]:
    # Appended in SQL, many at a time.
    yield from ("request.signed", "credential.renewed")
    for file in (*PROJECT.glob("broker/**/*.py"), *PROJECT.glob("tenants/*.py")):
        if file.name in ("timeline.py", "checks.py"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                yield from () if node.value in Operation.values else (node.value,)
            if isinstance(node, ast.Call) and _is_record(node.func):
                yield from _assembled(node)


def _is_record(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("record", "record_for")


def _assembled(call: ast.Call) -> Iterator[str]:
    for template in (each for each in call.args if isinstance(each, ast.JoinedStr)):
        text = ast.unparse(template)[2:-1]
        gap = re.search(r"\{[^}]*\}", text)
        assert gap, text
        for filling in ASSEMBLED[text]:
            yield text.replace(gap.group(), filling)


def _failure_classes() -> Iterator[str]:
    text = (PROJECT / "broker/services/renewal_outcomes.py").read_text()
    for first, second in re.findall(r'failure ?= ?"(\w+)"(?: if [^\n"]*? else "(\w+)")?', text):
        yield from (each for each in (first, second) if each)
    yield from (Reason.ROTATION_LOST.value, Reason.GRANT_REVOKED.value, UNSUPPORTED)
    yield from (Reason.IDLE_EXPIRED.value, Reason.ABSOLUTE_EXPIRED.value)
    yield from (Outcome.RIGHT_MISSING.value, Outcome.ACCOUNT_UNVERIFIED.value)
