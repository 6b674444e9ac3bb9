"""GET .../token: the route everything else exists for."""

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from broker.services import counts, renew
from broker.services.renewal_attempt import Outcome
from tenants.models import Credential, IssueCount, RenewalSlot
from tests import people


def path(connection) -> str:
    return f"/v1/connections/{connection.id}/token"


def by_name(tenant: str = "aalto", query: str = "") -> str:
    return f"/v1/tenants/{tenant}/providers/{people.PROVIDER}/token{query}"


def age(connection, seconds_left: int) -> None:
    """Let the stored access token end so many seconds from now."""
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE tenants_credential SET expires_at = now() + %s * interval '1 second', "
            "issued_at = now() - interval '1 hour' WHERE connection_id = %s",
            [seconds_left, connection.id],
        )


def test_a_fresh_token_costs_exactly_one_query(connect, settled, call):
    connection = connect()
    with CaptureQueriesContext(database) as queries:
        answer = call("GET", path(connection), settled.aalto_key)
    assert answer.status_code == 200, answer.content
    assert len(queries) == 1, [query["sql"] for query in queries]
    # The driver does not tell the text of a statement that it has prepared before.
    assert (queries[0]["sql"] or "SELECT").lstrip().startswith("SELECT")


def test_the_token_works_at_the_provider_and_comes_with_what_a_call_needs(connect, settled, call, local_provider):
    body = call("GET", path(connect()), settled.aalto_key).json()
    assert body["headers"] == {"Authorization": f"Bearer {body['access_token']}"}
    assert body["base_url"] == f"{local_provider.url}/v2"
    assert body["token_type"] == "Bearer"
    assert set(body["scope"].split()) >= {"ea:api", "offline_access"}
    assert body["degraded"] is None


def test_by_tenant_and_provider_it_is_the_same_token(connect, settled, call):
    connection = connect()
    by_id = call("GET", path(connection), settled.aalto_key).json()
    assert call("GET", by_name(), settled.aalto_key).json() == by_id


def test_two_connections_at_one_provider_need_an_id(connect, settled, call):
    connect(username="ben@books.example")
    connect()
    answer = call("GET", by_name(), settled.aalto_key)
    assert (answer.status_code, answer.json()["code"]) == (409, "connection_ambiguous")


def test_a_token_that_ends_before_min_ttl_is_renewed_first(connect, settled, call):
    connection = connect()
    before = call("GET", path(connection), settled.aalto_key).json()
    age(connection, seconds_left=100)
    assert call("GET", path(connection) + "?min_ttl=90", settled.aalto_key).json()["version"] == before["version"]
    after = call("GET", path(connection) + "?min_ttl=110", settled.aalto_key).json()
    assert after["version"] > before["version"]
    assert after["access_token"] != before["access_token"]


def test_a_min_ttl_longer_than_the_providers_tokens_live_is_refused(connect, settled, call, local_provider):
    local_provider.update_client(access_token_seconds=120)
    answer = call("GET", path(connect()) + "?min_ttl=300", settled.aalto_key)
    assert (answer.status_code, answer.json()["code"]) == (422, "min_ttl_unattainable")
    assert local_provider.log(endpoint="token", since=0)[-1]["decision"] != "refreshed"


def test_while_the_provider_is_down_a_valid_token_is_still_served(connect, settled, call, local_provider):
    connection = connect()
    age(connection, seconds_left=20)
    local_provider.fault("token", "status", status=503, times=10)
    answer = call("GET", path(connection), settled.aalto_key)
    assert answer.status_code == 200
    promised = call("GET", path(connection) + "?min_ttl=30", settled.aalto_key)
    assert (promised.status_code, promised.json()["code"]) == (503, "provider_unavailable")
    assert int(promised["Retry-After"]) >= 1


def test_a_refused_registration_is_not_the_customers_fault(connect, settled, call, local_provider):
    connection = connect()
    age(connection, seconds_left=-5)
    local_provider.update_client(client_secret="changed at the provider")
    answer = call("GET", path(connection), settled.aalto_key)
    assert (answer.status_code, answer.json()["code"]) == (502, "registration_rejected")
    connection.refresh_from_db()
    assert connection.state == "connected"
    connection.registration.refresh_from_db()
    assert connection.registration.incident == "invalid_client"


@pytest.mark.parametrize(
    "query",
    [
        "?min_ttl=x",
        "?min_ttl=-1",
        "?min_ttl=901",
        "?min_ttl=1&min_ttl=2",
        "?other=1",
        "?min_ttl=%00",
        "?min_ttl=%ff",
        "?min_ttl=",
        "?min_ttl=1e3",
        "?min_ttl=٣",
    ],
)
def test_a_query_that_is_not_understood_is_refused(connect, settled, call, query):
    answer = call("GET", path(connect()) + query, settled.aalto_key)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_the_foreign_the_absent_and_the_malformed_look_the_same(connect, settled, call):
    connection = connect()
    foreign = call("GET", path(connection), settled.birch_key)
    absent = call("GET", "/v1/connections/6b6b5f7e-2f0e-4ac4-b9ae-0d9b7d1a0f00/token", settled.birch_key)
    malformed = call("GET", "/v1/connections/nonsense/token", settled.birch_key)
    assert foreign.status_code == 404
    assert foreign.content == absent.content == malformed.content


def test_a_key_without_the_operation_is_refused(connect, settled, call):
    answer = call("GET", path(connect()), settled.powerless_key)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_reads_are_counted_off_the_path(connect, settled, call):
    connection = connect()
    counts.reads.flush()
    IssueCount.objects.all().delete()
    for _ in range(3):
        call("GET", path(connection), settled.aalto_key)
    assert not IssueCount.objects.exists()
    counts.reads.flush()
    row = IssueCount.objects.get()
    assert (row.reads, row.connection_id, row.caller_id) == (3, connection.id, people.caller_of("aalto-service").id)


def test_a_tampered_credential_is_a_storage_fault_and_blames_nobody(connect, settled, call):
    connection = connect()
    sealed = bytearray(Credential.objects.get(pk=connection.id).sealed)
    sealed[-1] ^= 1
    Credential.objects.filter(pk=connection.id).update(sealed=bytes(sealed))
    answer = call("GET", path(connection), settled.aalto_key)
    assert (answer.status_code, answer.json()["code"]) == (500, "storage_fault")
    assert renew.renew_now(connection.id) is Outcome.STORAGE_FAULT
    connection.refresh_from_db()
    assert connection.state == "connected"
    assert RenewalSlot.objects.get(pk=connection.id).intent == ""
