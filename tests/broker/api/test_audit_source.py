"""The audit log says from which address a caller acted, and the API does not tell callers the addresses of others."""

import pytest

from tenants import audit
from tenants.models import AuditEvent

ADDRESS = "10.20.30.40"


@pytest.fixture
def connection(connect):
    return connect()


def source_of(action: str) -> str:
    return AuditEvent.objects.filter(action=action).latest("id").source


def test_what_a_caller_does_comes_from_its_address(connection, settled, call):
    key, here = settled.aalto_key, {"REMOTE_ADDR": ADDRESS}
    body = {"tenant": "aalto", "providers": [connection.provider_id]}
    assert call("POST", "/v1/connect-sessions", key, body, **here).status_code == 201
    assert source_of("connect_session.created") == ADDRESS
    told = {"status": 403, "version": connection.credential.version, "body": '{"ErrorCode": 4003}'}
    assert call("POST", f"/v1/connections/{connection.id}/feedback", key, told, **here).status_code == 200
    assert call("DELETE", f"/v1/connections/{connection.id}", key, **here).status_code == 200
    assert source_of("connection.disconnected") == ADDRESS
    callers = AuditEvent.objects.filter(actor_kind="caller")
    assert callers.count() >= 2
    assert set(callers.values_list("source", flat=True)) == {ADDRESS}


def test_a_connections_timeline_holds_no_addresses(connection, settled, call):
    audit.record_for(connection, "connection.suspended", audit.staff("anna", "192.0.2.77"))
    shown = call("GET", f"/v1/connections/{connection.id}", settled.aalto_key)
    assert "connection.suspended" in shown.content.decode()
    assert "192.0.2.77" not in shown.content.decode()
