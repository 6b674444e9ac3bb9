"""The story that the broker is for: connect, token, renewal unasked, break, repair, disconnect."""

from collections.abc import Callable

from tests.fakes.broker import Broker
from tests.fakes.workers import Workers
from tests.journeys import customer
from tests.journeys.conftest import Journey
from tests.journeys.service import Service, call_provider

TOKEN_SECONDS = 12
NEW_PASSWORD = "changed-at-the-provider"


def test_from_connect_to_disconnect(journey: Journey, service: Callable[[Broker], Service]) -> None:
    broker, sandbox = journey(sandbox=("--access-token-seconds", str(TOKEN_SECONDS)), RENEWAL_SWEEP_SECONDS=0.5)
    workers = Workers(broker)
    workers.worker("worker")
    workers.beat("beat")
    broker.start_web()
    workers.wait_ready()
    aalto = service(broker)

    session = aalto.connect_session()
    assert aalto.session(session["id"])["state"] == "open"
    assert "Aalto Oy" in customer.connect(broker, session["url"])
    done = aalto.session(session["id"])
    assert (done["state"], done["outcome"]) == ("completed", "connected")
    connection = done["connection"]

    first = aalto.token(connection, min_ttl=0)
    answer = call_provider(first)
    assert answer.status_code == 200
    assert answer.json()["Name"] == aalto.connection(connection)["external_account"]

    # Nobody asks for a token while this waits: only the worker can have renewed it.
    aalto.wait(connection, lambda seen: seen["version"] > first["version"], "a renewal unasked", TOKEN_SECONDS)
    assert call_provider(first).status_code == 200, "renewed too late: the first token has ended"
    renewed = aalto.token(connection, min_ttl=0)
    assert renewed["access_token"] != first["access_token"]
    assert call_provider(renewed).status_code == 200

    assert sandbox.change_password(password=NEW_PASSWORD) == 1
    token = aalto.token(connection, min_ttl=0)
    refused = call_provider(token)
    assert refused.status_code == 401
    verdict = aalto.feedback(connection, token["version"], refused.headers.get("WWW-Authenticate", ""))
    assert verdict["verdict"] == "confirmed_dead"
    assert verdict["action"] == "send_customer_to_connect_url"
    assert (verdict["state"], verdict["reason"]) == ("reauthorization_required", "grant_revoked")
    told = aalto.token(connection, status=409)
    assert (told["code"], told["connect_url"]) == ("reauthorization_required", verdict["connect_url"])
    asked_by_then = len(sandbox.log(endpoint="token"))

    customer.connect(broker, verdict["connect_url"], customer.at_sandbox(password=NEW_PASSWORD))
    repaired = aalto.connection(connection)
    assert (repaired["state"], repaired["reason"]) == ("connected", "")
    assert [one["id"] for one in aalto.connections()] == [connection]
    assert call_provider(aalto.token(connection, min_ttl=0)).status_code == 200
    asked = sandbox.log(endpoint="token")[asked_by_then:]
    assert [one["decision"] for one in asked[:1]] == ["issued"], "a dead grant was asked for again"

    assert aalto.disconnect(connection) == {"state": "disconnected", "revoked_at_provider": True}
    assert sandbox.grants(alive="true") == []
    assert aalto.token(connection, status=410)["code"] == "connection_disconnected"
    assert sandbox.grants()[-1]["revoked_why"] not in ("", "password_changed", "reuse_detected")
