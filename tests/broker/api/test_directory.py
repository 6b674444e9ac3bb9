"""Which tenants and providers there are for a caller."""

import pytest
from django.utils import timezone

from broker.services import register
from tenants.models import Caller, ClientRegistration, Tenant
from tests import people


@pytest.fixture
def get(call, settled):
    def ask(path, key=settled.aalto_key):
        answer = call("GET", f"/v1/{path}", key)
        assert answer.status_code == 200, answer.content
        return answer.json()

    return ask


def slugs(page):
    return [item["slug"] for item in page["items"]]


def test_of_a_tenant_that_is_being_deleted_nothing_is_there(call, connect, settled):
    key = people.new_key("every-service", None, people.EVERYTHING)
    connection = connect()
    session = call("POST", "/v1/connect-sessions", key, {"tenant": "aalto", "providers": [people.PROVIDER]}).json()[
        "id"
    ]
    Tenant.objects.filter(slug="aalto").update(deleted_at=timezone.now())
    for path in (f"connections/{connection.id}", f"connections/{connection.id}/token", f"connect-sessions/{session}"):
        assert call("GET", f"/v1/{path}", key).status_code == 404, path
    assert call("GET", "/v1/connections", key).json()["items"] == []


class TestTenants:
    def test_a_caller_sees_its_own(self, get, settled):
        page = get("tenants")
        assert page["next_cursor"] is None
        assert [{**item, "created_at": ""} for item in page["items"]] == [
            {"slug": "aalto", "name": "Aalto Oy", "locale": "en", "created_at": ""}
        ]
        assert slugs(get("tenants", settled.birch_key)) == ["birch"]

    def test_a_caller_of_all_sees_all_but_those_that_are_being_deleted(self, get, settled):
        key = people.new_key("every-service", None, people.EVERYTHING)
        assert set(slugs(get("tenants", key))) == {"aalto", "birch"}
        Tenant.objects.filter(slug="birch").update(deleted_at=timezone.now())
        assert slugs(get("tenants", key)) == ["aalto"]

    def test_pages_hold_each_once_newest_first(self, get, settled):
        key = people.new_key("every-service", None, people.EVERYTHING)
        for number in range(3):
            register.create_tenant(f"more-{number}", name="More", actor=people.STAFF)
        seen, cursor = [], ""
        for _ in range(3):
            page = get(f"tenants?limit=2&cursor={cursor}", key)
            seen += slugs(page)
            cursor = page["next_cursor"]
        assert cursor is None
        assert seen == ["more-2", "more-1", "more-0", "birch", "aalto"]


class TestProviders:
    def one(self, page, provider_id=people.PROVIDER):
        return next(item for item in page["items"] if item["id"] == provider_id)

    def test_what_each_can_do_and_which_scopes_it_has(self, get):
        page = get("providers")
        names = [item["name"] for item in page["items"]]
        assert names == sorted(names)
        found = self.one(page)
        assert {"authorizes", "renews", "hands_out_tokens"} <= set(found["capabilities"])
        assert {scope["name"] for scope in found["scopes"]} >= {"ea:api", "offline_access"}
        assert all(scope["description"] for scope in found["scopes"])

    def test_where_a_customer_could_connect(self, get, settled):
        page = get("providers")
        assert self.one(page)["available"]
        assert not self.one(page, "netvisor")["available"]
        ClientRegistration.objects.update(tenant=settled.birch)
        assert not self.one(get("providers"))["available"]
        assert self.one(get("providers", settled.birch_key))["available"]

    def test_a_caller_of_one_provider_sees_that_one(self, get):
        Caller.objects.filter(name="aalto-service").update(providers=[people.PROVIDER])
        assert [item["id"] for item in get("providers")["items"]] == [people.PROVIDER]
