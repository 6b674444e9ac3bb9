"""Malformed replies through whole renewals: nobody is asked to connect again, nothing is forgotten, nothing crashes."""

import socket
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.db.models.functions import Now

from broker.services import directory, renew
from broker.services.renewal_attempt import Outcome
from providers.messages import HttpResponse, OAuthCredential, Secret
from tenants.models import Connection, Credential, RenewalSlot
from tenants.querysets import slots
from tests import local_catalogue, people
from tests.broker import hand_made
from tests.chaos_support import replies
from tests.chaos_support.reply_bodies import well_formed_refusal
from tests.providers.peer import Peer

CONNECTIONS, ROUNDS, SEED = 50, 4, 11
BLAMED = {Outcome.DEAD, Outcome.SUSPECT, Outcome.HELD}


def answering_in_turn(made: list[HttpResponse]) -> Peer:
    """A token endpoint that answers each request with the next reply, as bytes."""
    left = list(made)

    def script(connection: socket.socket, peer: Peer) -> None:
        peer.read_request(connection)
        connection.sendall(as_bytes(left.pop()))

    return Peer(script)


def as_bytes(reply: HttpResponse) -> bytes:
    lines = [f"{name}: {value}" for name, value in reply.headers.items()]
    head = "\r\n".join((f"HTTP/1.1 {reply.status} x", *lines, f"Content-Length: {len(reply.body)}", "", ""))
    return head.encode("latin-1", "replace") + reply.body


@pytest.fixture
def server(transactional_db: None, tmp_path: Path, settings: object) -> Iterator[Peer]:
    quirks = directory.provider(people.PROVIDER).definition.quirks
    made = (one.response for one in replies.replies(2 * CONNECTIONS * ROUNDS, SEED))
    garbage = [reply for reply in made if not well_formed_refusal(quirks, reply)]
    with answering_in_turn(garbage[: CONNECTIONS * ROUNDS]) as peer:
        settings.CATALOGUE_DIRECTORY = str(local_catalogue.write(tmp_path / "catalogue", peer.url))
        directory.registry.cache_clear()
        yield peer
    directory.registry.cache_clear()


def test_no_connection_is_blamed_and_none_is_forgotten(server):
    made = connections()
    outcomes: Counter[Outcome] = Counter()
    for _ in range(ROUNDS):
        # Nothing is left to lose: else a refresh token in doubt would be left alone.
        Credential.objects.update(expires_at=Now() + timedelta(seconds=30))
        outcomes.update(renew.renew_now(connection_id) for connection_id in made)
    assert outcomes.total() == len(server.requests) == CONNECTIONS * ROUNDS
    assert {Outcome.RENEWED, Outcome.UNAVAILABLE, Outcome.MALFORMED, Outcome.CLIENT_REJECTED} <= set(outcomes)
    assert not BLAMED & set(outcomes)
    assert set(Connection.objects.values_list("state", flat=True)) <= {"connected", "degraded"}
    rows = RenewalSlot.objects.filter(connection_id__in=made)
    assert set(rows.values_list("state", "intent", "lease_owner")) == {("scheduled", "", "")}
    assert not rows.filter(due_at=None).exists()
    # What can be read as tokens is kept.
    assert Credential.objects.filter(version__gt=1).exists()


def connections() -> list[UUID]:
    settled = people.settle()
    credential = OAuthCredential(access_token=Secret("at-0"), refresh_token=Secret("rt-0"), scope=("ea:api",))
    made = [
        hand_made.connected(settled.aalto, settled.registration, credential, life_seconds=30)
        for _ in range(CONNECTIONS)
    ]
    for connection in made:
        assert slots.schedule(connection.pk, 1, due_in_seconds=0.0)
    return [connection.pk for connection in made]
