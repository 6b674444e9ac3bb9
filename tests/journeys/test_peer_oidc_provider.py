"""The generic provider against an authorization server by other hands, through the broker's HTTP interface alone.

All that the broker knows of it is tests/peers/oidc-provider.toml: nothing in the code was written for it.
"""

from collections.abc import Callable

from tests.fakes.broker import Broker
from tests.fakes.workers import Workers
from tests.journeys import customer
from tests.journeys.conftest import BareJourney
from tests.journeys.service import Service, call_provider
from tests.peers import oidc_provider
from tests.peers.oidc_provider import PROVIDER, Peer

TOKEN_SECONDS = 6
PACE = {"RENEWAL_SWEEP_SECONDS": 0.5, "RENEWAL_POLL_SECONDS": 1, "RENEWAL_CONFIRM_SECONDS": 1}
PATIENCE_SECONDS = 40.0


def test_connect_renew_reuse_repair_disconnect(bare_journey: BareJourney, service: Callable[[Broker], Service]) -> None:
    broker = bare_journey(**PACE)
    with oidc_provider.running(broker, access_token_seconds=TOKEN_SECONDS) as peer:
        peer.define(broker)
        workers = Workers(broker)
        workers.worker("worker", beat=True)
        broker.start_web()
        aalto = service(broker)
        connection = _connected(broker, aalto)
        workers.wait_ready()
        _renewed_unasked(peer, aalto, connection)
        _stolen_refresh_token_is_noticed(peer, broker, aalto, connection)
        link = aalto.token(connection, status=409)["connect_url"]
        customer.connect(broker, link, oidc_provider.sign_in_and_consent)
        repaired = aalto.connection(connection)
        assert (repaired["state"], repaired["reason"]) == ("connected", "")
        _renewed_unasked(peer, aalto, connection)
        _disconnected(peer, broker, aalto, connection)


def _connected(broker: Broker, aalto: Service) -> str:
    session = aalto.connect_session(provider=PROVIDER)
    customer.connect(broker, session["url"], oidc_provider.sign_in_and_consent)
    connection = str(aalto.session(session["id"])["connection"])
    token = aalto.token(connection, min_ttl=0)
    assert set(token["scope"].split()) == {"openid", "offline_access"}
    answer = call_provider(token, "/me")
    assert (answer.status_code, answer.json()) == (200, {"sub": "alice"})
    return connection


def _renewed_unasked(peer: Peer, aalto: Service, connection: str) -> None:
    before = aalto.token(connection, min_ttl=0)
    aalto.wait(connection, lambda seen: seen["version"] > before["version"], "a renewal unasked", PATIENCE_SECONDS)
    after = aalto.token(connection, min_ttl=0)
    assert after["access_token"] != before["access_token"]
    assert call_provider(after, "/me").status_code == 200
    assert {entry["status"] for entry in peer.log()[-1:]} == {200}


def _stolen_refresh_token_is_noticed(peer: Peer, broker: Broker, aalto: Service, connection: str) -> None:
    """Somebody sends a refresh token that the broker has used before: the peer ends the whole family."""
    used = [entry["refresh_token"] for entry in peer.log() if entry["refresh_token"]]
    broker.secrets.update(used)
    theft = peer.refresh(used[0])
    assert (theft.status_code, theft.json()["error"]) == (400, "invalid_grant")
    seen = aalto.wait(
        connection, lambda one: one["state"] == "reauthorization_required", "the loss to be noticed", PATIENCE_SECONDS
    )
    assert seen["reason"] == "grant_revoked"
    asked = [entry["refresh_token"] for entry in peer.log() if entry["refresh_token"]]
    broker.secrets.update(asked)
    # The broker itself never sent one twice, but for the one time that confirms a refusal.
    own = asked[: len(used)] + asked[len(used) + 1 :]
    assert len(own) - len(set(own)) == 1


def _disconnected(peer: Peer, broker: Broker, aalto: Service, connection: str) -> None:
    token = aalto.token(connection, min_ttl=0)
    assert peer.is_active(token["access_token"])
    assert aalto.disconnect(connection) == {"state": "disconnected", "revoked_at_provider": True}
    assert not peer.is_active(token["access_token"])
    assert aalto.token(connection, status=410)["code"] == "connection_disconnected"
    assert broker.leaks() == []
