"""Answers of a batch are kept for a moment, and not a moment longer than the rows that they were made of."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from broker.services import admission, batch, issue
from broker.services.batch import Asked
from broker.services.callers import parse
from broker.services.kept_answers import KeptAnswers
from tenants.models import ApiKey, Caller, ClientRegistration, Connection, Credential, DataKey, State, Tenant
from tenants.querysets import hand_out, hand_out_many
from tenants.querysets.hand_out import HandOut, Named

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Answers on a clock of their own, and how many were made."""
    clock = SimpleNamespace(now=0.0)
    answers = KeptAnswers(lambda: clock.now)
    made: list[object] = []
    assemble = issue.assemble_row
    monkeypatch.setattr(batch, "kept_answers", answers)
    monkeypatch.setattr(issue, "assemble_row", lambda row: (made.append(row.connection_id), assemble(row))[1])
    return SimpleNamespace(clock=clock, made=made)


@pytest.fixture
def ask(connect, settled, settings) -> Callable[..., list[Any]]:
    """Asks for the same two connections, by id and by name; returns tokens, or codes."""
    settings.KEY_TRUSTED_SECONDS = 0
    first, second = connect(), connect(username="ben@books.example")
    Connection.objects.filter(pk=second.pk).update(label="second")
    named = [Named(str(first.pk)), Named(str(second.pk)), Named(None, "aalto", first.provider_id, "second")]

    def asking(key: str = settled.aalto_key, min_ttl: int | None = None) -> list[Any]:
        asked = [Asked(one, min_ttl) for one in named]
        verdicts = batch.issue_tokens(parse(f"Bearer {key}"), asked, wait_seconds=0)
        return [json.loads(one.token)["version"] if one.token else getattr(one.error, "code", "") for one in verdicts]

    asking.first = first  # type: ignore[attr-defined]
    return asking


def test_what_stands_as_it_was_is_not_made_again(kept, ask):
    once = ask()
    assert len(kept.made) == 2, "the third is the second, by name"
    with CaptureQueriesContext(database) as queries:
        assert ask() == once
    assert len(kept.made) == 2
    assert len(queries) == 3, "the key, how two stand, and the one by name"


def test_after_half_a_minute_it_is(kept, ask):
    ask()
    kept.clock.now += 30
    ask()
    assert len(kept.made) == 4


@pytest.mark.parametrize(
    "touch",
    [
        lambda row: Connection.objects.filter(pk=row.pk).update(external_name="another"),
        lambda row: Credential.objects.filter(pk=row.pk).update(grant_issued_at="2026-01-01T00:00:00Z"),
        lambda row: ClientRegistration.objects.filter(pk=row.registration_id).update(client_id="another"),
        lambda row: DataKey.objects.filter(pk=row.credential.data_key_id).update(created_at="2026-01-01T00:00:00Z"),
    ],
    ids=["connection", "credential", "registration", "data key"],
)
def test_any_change_of_any_row_has_it_made_again(kept, ask, touch):
    once = ask()
    before = kept.made.count(ask.first.pk)
    assert touch(ask.first)
    assert ask() == once
    assert kept.made.count(ask.first.pk) == before + 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda row: Connection.objects.filter(pk=row.pk).update(state=State.SUSPENDED), "connection_suspended"),
        (lambda row: Credential.objects.filter(pk=row.pk).update(sealed=b"tampered"), "storage_fault"),
        (lambda row: Caller.objects.update(providers=["netvisor"]), "connection_not_found"),
        (lambda row: Tenant.objects.get(slug="aalto").callers.clear() or 1, "connection_not_found"),
    ],
    ids=["suspended", "tampered", "provider taken", "tenant taken"],
)
def test_what_may_not_be_had_any_more_is_not_had_from_memory(kept, ask, change, code):
    ask()
    assert change(ask.first)
    assert ask()[0] == code


def test_another_caller_s_answer_is_nobody_else_s(kept, ask, settled):
    ask()
    assert ask(settled.birch_key)[:2] == ["connection_not_found"] * 2


def test_a_note_of_trouble_is_of_its_moment(kept, ask):
    ask()
    row = hand_out_many.for_many(admitted_key(), [Named(ask.first.pk)])[0]
    noted = batch.kept_answers.make(admission.in_trouble(row, "provider_unavailable"))
    assert json.loads(noted.token)["degraded"] == "provider_unavailable"
    assert json.loads(batch.kept_answers.make(row).token)["degraded"] is None


def admitted_key() -> HandOut:
    """The columns of a key of a caller that has the first connection."""
    found = hand_out.for_key(ApiKey.objects.filter(caller__tenants__slug="aalto").values_list("key_id", flat=True)[0])
    assert found is not None
    return found


def test_one_whose_token_has_ended_meanwhile_is_renewed_instead(kept, ask):
    ask()
    Credential.objects.update(expires_at="2026-01-01T00:00:00Z")
    kept.made.clear()
    ask()
    assert kept.made == []


def test_a_kept_answer_does_not_show_itself(kept, ask):
    ask()
    shown = repr(batch.kept_answers._kept._entries)
    assert "KeptAnswer(" in shown
    assert "access_token" not in shown
