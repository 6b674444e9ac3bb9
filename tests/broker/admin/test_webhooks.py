"""Staff see where callers are told of events and what came of it, try it, send again; and see no secret."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from broker.services import webhook_targets
from tenants.models import AuditEvent, WebhookDelivery, WebhookEndpoint
from tests.broker.admin import hooks
from tests.broker.services import telling
from tests.fakes.receiver import receiving
from tests.people import People

ENDPOINTS, DELIVERIES = "admin:tenants_webhookendpoint_changelist", "admin:tenants_webhookdelivery_changelist"


@pytest.fixture
def receiver():
    webhook_targets.door.cache_clear()
    with receiving() as one:
        yield one
    webhook_targets.door.cache_clear()


@pytest.fixture
def hook(settled: People, receiver):
    return hooks.endpoint_of(settled, receiver.url)


def press(client: Client, where: str, action: str, *rows) -> str:
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(reverse(where), chosen, follow=True).content.decode()


def test_a_test_event_is_sent_and_seen(root: Client, hook, receiver) -> None:
    assert "Test events on their way: 1." in press(root, ENDPOINTS, "send_test", hook[0])
    telling.deliver()
    assert receiver.at(hooks.PATH)[0].event(hook[1])["type"] == "webhook.test"
    page = root.get(reverse("admin:tenants_webhookdelivery_change", args=[WebhookDelivery.objects.get().pk]))
    assert ": 204<" in page.content.decode()
    assert "webhook.test" in root.get(reverse(DELIVERIES)).content.decode()
    assert AuditEvent.objects.get(action="webhook.test").actor == "root-anna"


def test_a_delivery_is_sent_again(root: Client, hook, receiver) -> None:
    press(root, ENDPOINTS, "send_test", hook[0])
    telling.deliver()
    press(root, DELIVERIES, "replay", WebhookDelivery.objects.get())
    telling.deliver()
    first, second = receiver.at(hooks.PATH)
    assert first.id == second.id
    assert AuditEvent.objects.filter(action="webhook.replayed").count() == 1


def test_an_endpoint_is_disabled_and_enabled(root: Client, hook) -> None:
    assert "Disabled: 1." in press(root, ENDPOINTS, "disable", hook[0])
    assert "disabled: staff disabled it" in root.get(reverse(ENDPOINTS)).content.decode()
    assert "Disabled: 0." in press(root, ENDPOINTS, "disable", hook[0])
    assert "enable it first" in press(root, ENDPOINTS, "send_test", hook[0])
    assert "Enabled: 1." in press(root, ENDPOINTS, "enable", hook[0])
    assert WebhookEndpoint.objects.get().disabled_at is None


def test_neither_the_secret_nor_the_path_is_on_a_page(root: Client, hook) -> None:
    press(root, ENDPOINTS, "send_test", hook[0])
    pages = [
        reverse(ENDPOINTS),
        reverse(DELIVERIES),
        reverse("admin:tenants_webhookendpoint_change", args=[hook[0].pk]),
        reverse("admin:tenants_webhookdelivery_change", args=[WebhookDelivery.objects.get().pk]),
        "/admin/tenants/auditevent/",
    ]
    for page in pages:
        text = root.get(page).content.decode()
        assert "127.0.0.1" in text
        assert hook[1] not in text
        assert hooks.PATH not in text


@pytest.mark.parametrize("action", ["send_test", "disable", "enable"])
def test_support_looks_and_changes_nothing(support: Client, hook, action: str) -> None:
    assert "127.0.0.1" in support.get(reverse(ENDPOINTS)).content.decode()
    press(support, ENDPOINTS, action, hook[0])
    assert not WebhookDelivery.objects.exists()
    assert WebhookEndpoint.objects.get().disabled_at is None


def test_each_right_is_for_its_own_actions(bystander: User, hook, root: Client) -> None:
    press(root, ENDPOINTS, "send_test", hook[0])
    names = ("view_caller", "change_webhookdelivery")
    bystander.user_permissions.add(*Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(bystander)
    press(client, ENDPOINTS, "disable", hook[0])
    assert WebhookEndpoint.objects.get().disabled_at is None
    telling.deliver()
    press(client, DELIVERIES, "replay", WebhookDelivery.objects.get())
    assert WebhookDelivery.objects.count() == 2
