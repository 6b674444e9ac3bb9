"""Webhook endpoints by the API: a caller's own, their secret shown once, their targets checked."""

import uuid

import pytest

from broker.services import publishing, webhook_targets
from tenants.models import AuditEvent, Caller, WebhookEndpoint
from tests import people
from tests.broker.services import telling
from tests.fakes.receiver import receiving

NOBODY = "00000000-0000-4000-8000-000000000001"
ENDPOINTS = "/v1/webhook-endpoints"


@pytest.fixture(autouse=True)
def door():
    webhook_targets.door.cache_clear()
    yield
    webhook_targets.door.cache_clear()


@pytest.fixture
def receiver():
    with receiving() as one:
        yield one


@pytest.fixture
def made(settled, call, receiver):
    answer = call("POST", ENDPOINTS, settled.aalto_key, {"url": f"{receiver.url}/hook"})
    assert answer.status_code == 201, answer.content
    return answer.json()


class TestEndpoints:
    def test_the_secret_is_in_the_first_answer_and_in_no_other(self, settled, call, made):
        path = f"{ENDPOINTS}/{made['id']}"
        assert made["secret"].startswith("whsec_")
        answers = [call("GET", path, settled.aalto_key), call("GET", ENDPOINTS, settled.aalto_key)]
        answers.append(call("PATCH", path, settled.aalto_key, {"description": "x"}))
        assert all(made["secret"].encode() not in answer.content for answer in answers)
        assert answers[0].json() == {name: made[name] for name in made if name != "secret"}
        assert [each["id"] for each in answers[1].json()["items"]] == [made["id"]]

    def test_it_is_changed_disabled_enabled_and_deleted(self, settled, call, made, receiver):
        path = f"{ENDPOINTS}/{made['id']}"
        changes = {"url": f"{receiver.url}/other", "types": ["connection.suspended"], "description": "new"}
        changed = call("PATCH", path, settled.aalto_key, changes).json()
        assert {name: changed[name] for name in changes} == changes
        disabled = call("PATCH", path, settled.aalto_key, {"enabled": False}).json()
        assert (disabled["enabled"], disabled["disabled_because"]) == (False, "caller")
        assert call("PATCH", path, settled.aalto_key, {"enabled": True}).json()["enabled"]
        assert call("DELETE", path, settled.aalto_key).status_code == 204
        assert call("GET", path, settled.aalto_key).json()["code"] == "webhook_endpoint_not_found"
        actions = AuditEvent.objects.filter(action__startswith="webhook.").order_by("id")
        assert list(actions.values_list("action", flat=True)) == [
            f"webhook.endpoint_{verb}" for verb in ("created", "changed", "disabled", "enabled", "deleted")
        ]

    def test_the_audit_names_the_host_alone(self, settled, call, made):
        detail = AuditEvent.objects.get(action="webhook.endpoint_created").detail
        assert detail == {"caller": "aalto-service", "endpoint": made["id"], "host": "127.0.0.1"}

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({}, "invalid_request"),
            ({"url": ""}, "invalid_request"),
            ({"url": "https://example.com/", "types": ["moon.was_full"]}, "invalid_request"),
            ({"url": "https://example.com/", "types": ["webhook.test"]}, "invalid_request"),
            ({"url": "https://example.com/", "surprise": 1}, "invalid_request"),
            ({"url": "http://example.com/"}, "webhook_target_refused"),
            ({"url": "ftp://example.com/"}, "webhook_target_refused"),
            ({"url": "https://user:secret@example.com/"}, "webhook_target_refused"),
            ({"url": "https://example.com/#part"}, "webhook_target_refused"),
            ({"url": "https://[::1"}, "webhook_target_refused"),
            ({"url": "https://exa mple.com/"}, "webhook_target_refused"),
            ({"url": "https://example.com:99999/"}, "webhook_target_refused"),
            ({"url": "https:///hook"}, "webhook_target_refused"),
            ({"url": "https://no-such-name.invalid/"}, "webhook_target_refused"),
        ],
        ids=str,
    )
    def test_what_is_wrong_is_said_and_nothing_is_made(self, settled, call, body, code):
        answer = call("POST", ENDPOINTS, settled.aalto_key, body)
        assert answer.json()["code"] == code, answer.content
        assert not WebhookEndpoint.objects.exists()

    def test_a_caller_has_twenty_at_most(self, settled, call, made, receiver):
        for _ in range(19):
            assert call("POST", ENDPOINTS, settled.aalto_key, {"url": f"{receiver.url}/x"}).status_code == 201
        assert call("POST", ENDPOINTS, settled.aalto_key, {"url": f"{receiver.url}/x"}).status_code == 400

    def test_repeated_with_its_key_it_is_made_once(self, settled, call, receiver):
        body, key = {"url": f"{receiver.url}/hook"}, {"HTTP_IDEMPOTENCY_KEY": "one-and-only"}
        first, second = (call("POST", ENDPOINTS, settled.aalto_key, body, **key).json() for _ in range(2))
        assert first == second
        assert WebhookEndpoint.objects.count() == 1


class TestTargets:
    @pytest.mark.parametrize(
        "host",
        [
            "10.1.2.3",
            "127.0.0.1",
            "localhost",
            "169.254.169.254",
            "192.168.1.1",
            "172.16.0.9",
            "100.64.0.1",
            "0.0.0.0",
            "[::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[::ffff:10.0.0.1]",
            "[64:ff9b::a00:1]",
            "2130706433",
            "0x7f.1",
        ],
    )
    def test_an_address_that_is_not_public_is_refused(self, settled, call, settings, host):
        settings.ALLOW_LOOPBACK_PROVIDERS = False
        answer = call("POST", ENDPOINTS, settled.aalto_key, {"url": f"https://{host}/hook"})
        assert answer.json()["code"] == "webhook_target_refused", answer.content

    @pytest.mark.parametrize("host", ["10.20.1.2", "[::ffff:10.20.0.1]"])
    def test_operators_open_ranges(self, settled, call, settings, host):
        settings.WEBHOOK_ALLOWED_NETWORKS = ["10.20.0.0/16"]
        assert call("POST", ENDPOINTS, settled.aalto_key, {"url": f"https://{host}/hook"}).status_code == 201
        refused = call("POST", ENDPOINTS, settled.aalto_key, {"url": "https://10.21.1.2/hook"})
        assert refused.json()["code"] == "webhook_target_refused"

    def test_no_range_opens_what_a_cloud_tells_its_machines(self, settled, call, settings):
        settings.WEBHOOK_ALLOWED_NETWORKS = ["0.0.0.0/0", "::/0"]
        for host in ("169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]"):
            answer = call("POST", ENDPOINTS, settled.aalto_key, {"url": f"https://{host}/"})
            assert answer.json()["code"] == "webhook_target_refused", host

    def test_an_opened_range_is_https_all_the_same(self, settled, call, settings):
        settings.WEBHOOK_ALLOWED_NETWORKS = ["10.0.0.0/8"]
        answer = call("POST", ENDPOINTS, settled.aalto_key, {"url": "http://10.0.0.1/hook"})
        assert answer.json()["code"] == "webhook_target_refused"

    def test_a_name_that_leads_elsewhere_later_is_refused_when_it_is_sent_to(
        self, settled, call, made, receiver, settings
    ):
        """As when a name's address changes after it was checked: each connection is checked anew."""
        row = telling.connection(settled.aalto, settled.registration)
        settings.ALLOW_LOOPBACK_PROVIDERS = False
        webhook_targets.door.cache_clear()
        WebhookEndpoint.objects.update(url=f"https://127.0.0.1:{receiver.url.rpartition(':')[2]}/hook")
        telling.happen(row, "connection.suspended")
        [answer] = telling.deliver()
        assert answer.heard.error == "the address is not allowed"
        assert receiver.got == []


class TestDeliveries:
    def test_they_are_seen_in_pages_newest_first(self, settled, call, made, receiver):
        row = telling.connection(settled.aalto, settled.registration)
        receiver.answer("/hook", 204, 204, 500)
        telling.happen(row, "connection.degraded", "connection.recovered", "connection.suspended")
        telling.deliver_all()
        path, seen, cursor = f"{ENDPOINTS}/{made['id']}/deliveries", [], ""
        while cursor is not None:
            page = call("GET", f"{path}?limit=2&cursor={cursor}", settled.aalto_key).json()
            seen += page["items"]
            cursor = page["next_cursor"]
        assert [(each["type"], each["state"]) for each in seen] == [
            ("connection.suspended", "waiting"),
            ("connection.recovered", "delivered"),
            ("connection.degraded", "delivered"),
        ]
        assert seen[0]["tries"][0]["status"] == 500
        assert seen[0]["next_try_at"]
        waiting = call("GET", f"{path}?state=waiting", settled.aalto_key).json()["items"]
        assert [each["id"] for each in waiting] == [seen[0]["id"]]
        assert call("GET", f"/v1/webhook-deliveries/{seen[0]['id']}", settled.aalto_key).json() == seen[0]

    @pytest.mark.parametrize("query", ["state=lost", "cursor=nonsense", f"cursor={NOBODY}", "limit=0"])
    def test_odd_questions(self, settled, call, made, query):
        answer = call("GET", f"{ENDPOINTS}/{made['id']}/deliveries?{query}", settled.aalto_key)
        assert answer.json()["code"] == "invalid_request"

    def test_a_test_send_tells_how_it_went(self, settled, call, made, receiver):
        answer = call("POST", f"{ENDPOINTS}/{made['id']}/test", settled.aalto_key)
        assert answer.status_code == 202, answer.content
        telling.deliver()
        assert receiver.wait("/hook")[0].event(made["secret"])["data"] == {"endpoint": made["id"]}
        delivery = call("GET", f"/v1/webhook-deliveries/{answer.json()['id']}", settled.aalto_key).json()
        assert delivery["state"] == "delivered"

    def test_replay(self, settled, call, made, receiver):
        row = telling.connection(settled.aalto, settled.registration)
        telling.happen(row, "connection.degraded")
        telling.deliver()
        first = call("GET", f"{ENDPOINTS}/{made['id']}/deliveries", settled.aalto_key).json()["items"][0]
        again = call("POST", f"/v1/webhook-deliveries/{first['id']}/replay", settled.aalto_key)
        assert again.status_code == 202
        assert (again.json()["event"], again.json()["replayed"]) == (first["event"], True)
        telling.deliver()
        assert len(receiver.at("/hook")) == 2

    @pytest.mark.parametrize("what", ["test", "replay"])
    def test_a_disabled_endpoint_is_sent_nothing(self, settled, call, made, what):
        row = telling.connection(settled.aalto, settled.registration)
        telling.happen(row, "connection.degraded")
        delivery = call("GET", f"{ENDPOINTS}/{made['id']}/deliveries", settled.aalto_key).json()["items"][0]["id"]
        call("PATCH", f"{ENDPOINTS}/{made['id']}", settled.aalto_key, {"enabled": False})
        path = f"{ENDPOINTS}/{made['id']}/test" if what == "test" else f"/v1/webhook-deliveries/{delivery}/replay"
        assert call("POST", path, settled.aalto_key).json()["code"] == "invalid_request"


class TestAuthority:
    def test_another_callers_endpoint_is_as_absent_as_none(self, settled, call, made):
        row = telling.connection(settled.aalto, settled.registration)
        telling.happen(row, "connection.degraded")
        delivery = call("GET", f"{ENDPOINTS}/{made['id']}/deliveries", settled.aalto_key).json()["items"][0]["id"]
        key = people.new_key("colleague", [settled.aalto], people.EVERYTHING)
        bodies = {"PATCH": {"description": "mine"}, "POST": {}}
        for method, path in [
            ("GET", f"{ENDPOINTS}/%s"),
            ("PATCH", f"{ENDPOINTS}/%s"),
            ("DELETE", f"{ENDPOINTS}/%s"),
            ("POST", f"{ENDPOINTS}/%s/rotate-secret"),
            ("POST", f"{ENDPOINTS}/%s/test"),
            ("GET", f"{ENDPOINTS}/%s/deliveries"),
        ]:
            answers = [call(method, path % each, key, bodies.get(method)) for each in (made["id"], uuid.uuid4(), "x")]
            assert {answer.json()["code"] for answer in answers} == {"webhook_endpoint_not_found"}
            assert len({answer.content for answer in answers}) == 1
        for path in ("/v1/webhook-deliveries/%s", "/v1/webhook-deliveries/%s/replay"):
            method = "POST" if path.endswith("replay") else "GET"
            answers = [call(method, path % each, key) for each in (delivery, uuid.uuid4())]
            assert {answer.json()["code"] for answer in answers} == {"webhook_delivery_not_found"}
        assert call("GET", ENDPOINTS, key).json() == {"items": []}
        assert WebhookEndpoint.objects.count() == 1

    def test_the_operation_is_needed(self, settled, call):
        Caller.objects.filter(name="aalto-service").update(operations=["event.read", "connection.manage"])
        assert call("GET", ENDPOINTS, settled.aalto_key).json()["code"] == "forbidden"


def test_rotation_by_the_api(settled, call, made, receiver):
    answer = call("POST", f"{ENDPOINTS}/{made['id']}/rotate-secret", settled.aalto_key, {"overlap_seconds": 60})
    rotated = answer.json()
    assert rotated["secret"] not in ("", made["secret"])
    assert rotated["previous_secret_ends_at"]
    assert publishing.publish() == 0
    call("POST", f"{ENDPOINTS}/{made['id']}/test", settled.aalto_key)
    telling.deliver()
    [got] = receiver.at("/hook")
    assert got.event(made["secret"]) == got.event(rotated["secret"])
