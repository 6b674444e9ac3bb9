"""The described routes: connect sessions, connections, feedback, disconnect."""

import json

import pytest
from django.utils import timezone

from broker.api.schemas import ConnectionPage
from tenants.models import ApiKey, Connection, ConnectSession
from tests import people

SESSIONS = "/v1/connect-sessions"


def body(**changes):
    return {"tenant": "aalto", "providers": [people.PROVIDER], "return_url": people.RETURN_URL, **changes}


class TestConnectSessions:
    def test_a_link_is_made_for_half_an_hour(self, settled, call):
        answer = call("POST", SESSIONS, settled.aalto_key, body(locale="fi"))
        assert answer.status_code == 201, answer.content
        made = answer.json()
        row = ConnectSession.objects.get(pk=made["id"])
        assert made["url"].startswith("http://127.0.0.1:8000/connect/")
        assert (row.locale, row.return_url) == ("fi", people.RETURN_URL)
        assert 1790 < (row.expires_at - timezone.now()).total_seconds() <= 1800
        shown = call("GET", f"{SESSIONS}/{made['id']}", settled.aalto_key).json()
        assert (shown["state"], shown["connection"]) == ("open", None)
        assert made["url"].rsplit("/", 1)[-1] not in json.dumps(shown)

    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"tenant": "birch"}, 404, "tenant_not_found"),
            ({"tenant": "nobody"}, 404, "tenant_not_found"),
            ({"tenant": "a b"}, 400, "invalid_request"),
            ({"providers": []}, 400, "invalid_request"),
            ({"providers": ["unknown"]}, 422, "provider_not_available"),
            ({"return_url": "https://evil.example/"}, 422, "return_url_not_allowed"),
            ({"return_url": people.RETURN_URL + "/"}, 422, "return_url_not_allowed"),
            ({"locale": "xx"}, 400, "invalid_request"),
            ({"connection": "nonsense"}, 400, "invalid_request"),
            ({"connection": "6b6b5f7e-2f0e-4ac4-b9ae-0d9b7d1a0f00"}, 404, "connection_not_found"),
            ({"surprise": 1}, 400, "invalid_request"),
            ({"label": "a\x00b"}, 400, "invalid_request"),
            ({"providers": "visma-eaccounting"}, 400, "invalid_request"),
        ],
        ids=str,
    )
    def test_what_is_wrong_is_said_and_nothing_is_made(self, settled, call, changes, status, code):
        answer = call("POST", SESSIONS, settled.aalto_key, body(**changes))
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert not ConnectSession.objects.exists()

    @pytest.mark.parametrize(
        "text",
        ["", "{", "[]", '{"tenant":"aalto","tenant":"birch"}', '{"tenant":NaN}', b"\xff\xfe", "null", "[" * 9999],
    )
    def test_a_body_that_is_not_one_json_object_is_refused(self, settled, call, text):
        answer = call("POST", SESSIONS, settled.aalto_key, text)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")

    def test_a_body_that_is_too_large_is_refused(self, settled, call):
        answer = call("POST", SESSIONS, settled.aalto_key, body(label="x" * 300_000))
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


class TestConnections:
    def test_shows_state_scopes_and_what_happened_but_no_secret(self, connect, settled, call):
        connection = connect()
        answer_of_token = call("GET", f"/v1/connections/{connection.id}/token", settled.aalto_key).json()
        token = answer_of_token["access_token"]
        answer = call("GET", f"/v1/connections/{connection.id}", settled.aalto_key)
        shown = answer.json()
        assert (shown["state"], shown["external_account"], shown["tenant"]) == ("connected", "Acme Oy", "aalto")
        assert shown["external_account_id"] == connection.external_subject != ""
        assert shown["base_url"] == answer_of_token["base_url"]
        assert shown["version"] == connection.credential.version
        assert "connection.connected" in [entry["action"] for entry in shown["timeline"]]
        assert token not in answer.content.decode()

    def test_the_list_shows_a_connection_as_its_own_page_does(self, connect, settled, call):
        row = connect()
        Connection.objects.filter(pk=row.pk).update(state="degraded", reason="grant_revoked", label="Ä")
        answer = call("GET", "/v1/connections", settled.aalto_key)
        # Strictly what the document promises: nothing is missing, nothing more is told.
        (shown,) = ConnectionPage.model_validate_json(answer.content, extra="forbid").items
        page = call("GET", f"/v1/connections/{row.id}", settled.aalto_key).json()
        assert answer.json()["items"] == [{name: page[name] for name in type(shown).model_fields}]
        assert page["reason_text"] == "The provider no longer accepts this connection."

    def test_pages_hold_each_connection_once(self, connect, settled, call):
        first = connect()
        for number in range(5):
            Connection.objects.create(
                tenant=settled.aalto, registration=first.registration, provider_id=people.PROVIDER, label=str(number)
            )
        Connection.objects.create(
            tenant=settled.birch, registration=first.registration, provider_id=people.PROVIDER, label="foreign"
        )
        seen, cursor = [], ""
        for _ in range(3):
            answer = call("GET", f"/v1/connections?limit=2&cursor={cursor}", settled.aalto_key)
            assert answer.status_code == 200, answer.content
            page = answer.json()
            seen += [item["label"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert cursor is None
        assert sorted(seen) == ["", "0", "1", "2", "3", "4"]

    @pytest.mark.parametrize(
        "query",
        [
            "limit=0",
            "limit=201",
            "limit=x",
            "state=odd",
            "cursor=nonsense",
            "cursor=W10=",
            "limit=1&limit=2",
            "cursor=WyJ4IiwieSJd",
            "cursor=%00",
            "tenant=%00",
            "provider=%00",
        ],
    )
    def test_a_query_that_is_not_understood_is_refused(self, settled, call, query):
        answer = call("GET", f"/v1/connections?{query}", settled.aalto_key)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request"), answer.content

    def test_filters(self, connect, settled, call):
        connect()
        assert len(call("GET", "/v1/connections?tenant=aalto&state=connected", settled.aalto_key).json()["items"]) == 1
        assert call("GET", "/v1/connections?tenant=birch", settled.aalto_key).json()["items"] == []
        assert call("GET", "/v1/connections?state=suspended", settled.aalto_key).json()["items"] == []

    def test_disconnecting_revokes_and_afterwards_no_token_is_given(self, connect, settled, call, local_provider):
        connection = connect()
        answer = call("DELETE", f"/v1/connections/{connection.id}", settled.aalto_key)
        assert answer.json() == {"state": "disconnected", "revoked_at_provider": True}
        gone = call("GET", f"/v1/connections/{connection.id}/token", settled.aalto_key)
        assert (gone.status_code, gone.json()["code"]) == (410, "connection_disconnected")

    def test_a_dead_grant_ends_in_a_problem_with_a_link(self, connect, settled, call, local_provider):
        connection = connect()
        version = connection.credential.version
        local_provider.change_password()
        report = f"/v1/connections/{connection.id}/feedback"
        verdict = call("POST", report, settled.aalto_key, {"status": 401, "version": version}).json()
        assert verdict["verdict"] == "confirmed_dead"
        problem = call("GET", f"/v1/connections/{connection.id}/token", settled.aalto_key)
        assert (problem.status_code, problem["Content-Type"]) == (409, "application/problem+json")
        assert problem.json()["code"] == "reauthorization_required"
        assert problem.json()["connect_url"] == verdict["connect_url"]


class TestKeys:
    @pytest.mark.parametrize(
        "key", ["", "nonsense", "brk_test_x", "brk_test_" + "a" * 12 + "_" + "b" * 43 + "_00000000"]
    )
    def test_what_is_not_a_key_is_refused_before_the_database(self, settled, call, key, django_assert_num_queries):
        with django_assert_num_queries(0):
            answer = call("GET", "/v1/connections", key)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize("change", ["expires_at", "revoked_at"])
    def test_an_ended_key_is_refused_everywhere(self, settled, call, change):
        ApiKey.objects.update(**{change: timezone.now()})
        for path in ("/v1/connections", "/v1/connections/6b6b5f7e-2f0e-4ac4-b9ae-0d9b7d1a0f00/token"):
            assert call("GET", path, settled.aalto_key).status_code == 401

    def test_a_key_with_another_secret_is_refused(self, settled, call):
        stolen = ApiKey.objects.get(caller__name="birch-service")
        ApiKey.objects.filter(caller__name="aalto-service").update(secret_hash=stolen.secret_hash)
        assert call("GET", "/v1/connections", settled.aalto_key).status_code == 401

    def test_a_caller_limited_to_a_provider_does_not_see_others(self, connect, settled, call):
        connection = connect()
        row = people.caller_of("aalto-service")
        row.providers = ["another-provider"]
        row.save()
        assert call("GET", f"/v1/connections/{connection.id}", settled.aalto_key).status_code == 404
        assert call("GET", f"/v1/connections/{connection.id}/token", settled.aalto_key).status_code == 404
        assert call("GET", "/v1/connections", settled.aalto_key).json()["items"] == []


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/nothing"), ("POST", "/v1/"), ("GET", "/v1/connections/a/b/c")]
)
def test_an_unknown_address_is_a_problem_too(settled, call, method, path):
    answer = call(method, path, settled.aalto_key)
    assert (answer.status_code, answer.json()["code"]) == (404, "route_not_found")


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/v1/connections"), ("GET", SESSIONS), ("POST", "/v1/connections/x/token")]
)
def test_a_wrong_method_is_a_problem_too(settled, call, method, path):
    answer = call(method, path, settled.aalto_key)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer["Allow"]
