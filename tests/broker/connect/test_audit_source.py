"""The audit log says from which address a customer acted, and only for what the customer did."""

from django.test import Client

from tenants import audit
from tenants.models import AuditEvent
from tests.broker.connect.customer import Customer

ADDRESS = "198.51.100.7"


def sources(*actions: str) -> set[str]:
    return set(AuditEvent.objects.filter(action__in=actions).values_list("source", flat=True))


def test_connecting_comes_from_the_browsers_address(make_link):
    customer = Customer(Client(enforce_csrf_checks=True, REMOTE_ADDR=ADDRESS))
    customer.connect(make_link().url)
    assert sources("authorization.started", "credential.stored", "connection.connected") == {ADDRESS}
    assert sources("connect_session.created", "tenant.created") == {""}, "what staff did before came from elsewhere"


def test_so_does_what_did_not_work(make_link):
    customer = Customer(Client(enforce_csrf_checks=True, REMOTE_ADDR=ADDRESS))
    customer.connect(make_link().url, allow=False)
    assert sources("authorization.failed") == {ADDRESS}


def test_behind_the_trusted_proxy_it_is_what_the_proxy_saw(make_link, settings):
    settings.TRUSTED_PROXY = True
    browser = Client(enforce_csrf_checks=True, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=f"203.0.113.9, {ADDRESS}")
    Customer(browser).start(make_link().url)
    assert sources("authorization.started") == {ADDRESS}


def test_what_the_broker_does_meanwhile_has_no_address(make_link):
    with audit.customer_at(ADDRESS):
        audit.record("connection.recovered", audit.SYSTEM, tenant_id=None)
        audit.record("connection.suspended", audit.staff("anna"), tenant_id=None)
    audit.record("authorization.failed", audit.CUSTOMER, tenant_id=None)
    assert sources("connection.recovered", "connection.suspended", "authorization.failed") == {""}
