"""A renewal step by step, what people do beside it, and where every token is to be found afterwards."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database
from django.db.models import F
from django.db.models.functions import Now

from broker.services import credentials, renewal_steps, revoke, sessions
from broker.services.renewal_attempt import Answer, Attempt
from tenants.models import Connection, Credential, CredentialOrphan, OutboxEvent, RenewalSlot, State
from tenants.models.credential import credential_context
from tenants.querysets import slots
from tests import flows, people
from tests.together import together

STAFF = people.STAFF


def attempt(connection: Connection) -> Attempt:
    """A renewal that is ready to be sent."""
    claim = slots.claim_one(connection.pk, owner="tester", lease_seconds=30)
    assert claim is not None
    attempts, ended = renewal_steps.prepare([claim])
    assert not ended
    return attempts[0]


def sent(ready: Attempt) -> Answer:
    """Its answer, with tokens that nobody has written yet."""
    (marked,) = renewal_steps.mark([ready])
    answer = renewal_steps.send(marked)
    assert answer.response is not None
    return answer


def claimed(ready: Attempt, act: Callable[[], object], provider: Any) -> Answer | None:
    act()
    marked = renewal_steps.mark([ready])
    answers = [renewal_steps.send(each) for each in marked]
    renewal_steps.conclude(answers)
    return answers[0] if answers else None


def sending(ready: Attempt, act: Callable[[], object], provider: Any) -> Answer | None:
    provider.fault("token", "stall", seconds=1.0, after=True)
    seen = provider.last_number()
    answers: list[Answer] = []

    def work() -> None:
        answers.append(sent(ready))
        database.close()

    renewing = threading.Thread(target=work)
    renewing.start()
    until(lambda: bool(provider.log(since=seen, endpoint="token")))
    assert not answers, "the provider has acted, and its answer is on the way"
    act()
    renewing.join(20)
    renewal_steps.conclude(answers)
    return answers[0]


def answered(ready: Attempt, act: Callable[[], object], provider: Any) -> Answer | None:
    answer = sent(ready)
    act()
    renewal_steps.conclude([answer])
    return answer


def committing(ready: Attempt, act: Callable[[], object], provider: Any) -> Answer | None:
    answer = sent(ready)
    together(lambda: renewal_steps.conclude([answer]), act)
    return answer


STAGES = (claimed, sending, answered, committing)
at_every_stage = pytest.mark.parametrize("stage", STAGES, ids=[stage.__name__ for stage in STAGES])


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came to that")


def everything_held(connection: Connection) -> set[str]:
    """Every refresh token that is kept for this connection, wherever it is."""
    held: set[str] = set()
    for stored in Credential.objects.select_related("data_key", "previous_data_key").filter(pk=connection.pk):
        held.add(_refresh_token(credentials.open_current(stored, connection.tenant_id)))
        if stored.previous_sealed and stored.previous_data_key and stored.previous_version is not None:
            context = credential_context(connection.tenant_id, connection.pk, stored.previous_version)
            plaintext = credentials.unseal(stored.previous_data_key, context, stored.previous_sealed)
            held.add(_refresh_token(credentials.decode(plaintext)))
    orphans_of = CredentialOrphan.objects.select_related("data_key").filter(connection_id=connection.pk)
    held |= {_refresh_token(credentials.open_orphan(orphan)) for orphan in orphans_of.exclude(sealed=b"")}
    return held


def _refresh_token(credential: Any) -> str:
    assert credential.refresh_token is not None
    return str(credential.refresh_token.reveal())


def assert_kept(connection: Connection, answer: Answer | None) -> None:
    """Whatever the provider has given is kept somewhere, or the provider has been told already."""
    if answer is None or answer.response is None:
        return
    assert answer.response.refresh_token is not None
    late = CredentialOrphan.objects.filter(connection_id=connection.pk, fence=answer.attempt.claim.fence)
    told = late.filter(outcome="revoked")
    assert answer.response.refresh_token.reveal() in everything_held(connection) or told.exists()


def assert_nobody_blamed(connection: Connection) -> None:
    assert not OutboxEvent.objects.filter(
        connection_id=connection.pk, type="connection.reauthorization_required"
    ).exists()
    connection.refresh_from_db()
    assert connection.state != State.REAUTHORIZATION_REQUIRED


def tell_the_provider() -> None:
    CredentialOrphan.objects.filter(outcome="revoke").update(due_at=Now())
    for orphan_id in revoke.due_revocations(limit=50):
        revoke.revoke_orphan(orphan_id)


def sign_in_again(connection: Connection, **at_the_sandbox: Any) -> str:
    link = sessions.create(connection.tenant, [people.PROVIDER], connection=connection, actor=STAFF)
    return str(flows.run(link.session, **at_the_sandbox).outcome)


def another_claims(connection: Connection) -> None:
    RenewalSlot.objects.filter(pk=connection.pk).update(fence=F("fence") + 1, intent="", lease_until=None)
