"""Systems whose credential a customer types in: what the sandbox knows of them, and what a customer would type."""

from typing import Any

from broker.services import entering, register, sessions
from broker.services.authorize import Started
from providers.messages import Secret
from tenants.models import AuthorizationRequest, ClientRegistration, Connection, Tenant
from tests import people
from tests.fakes.sandbox import SandboxProcess

PARTNER, PARTNER_KEY = "Ptn_1234567890", "a" * 32
CUSTOMER, CUSTOMER_KEY = "XX_1234567890", "b" * 32
BUSINESS_ID, OTHER_BUSINESS_ID = "0112038-9", "0201256-6"
CUID, CUID_2 = "c1c1c1c1c1c1c1c1c1c1", "c2c2c2c2c2c2c2c2c2c2"
FILLED_IN = {"customer_id": CUSTOMER, "customer_key": CUSTOMER_KEY, "organisation_id": BUSINESS_ID}
COMPANY, COMPANY_2 = "1a2b3c4d-0000-4000-8000-00000000000a", "1a2b3c4d-0000-4000-8000-00000000000b"
MAVENTA_KEY, VENDOR_KEY = "c" * 32, "d" * 32


def netvisor(sandbox: SandboxProcess, *, key: str = PARTNER_KEY) -> ClientRegistration:
    system = sandbox.system("netvisor")
    system.put("partners", PARTNER, {"key": PARTNER_KEY})
    system.put(
        "customers", CUSTOMER, {"key": CUSTOMER_KEY, "organisation_id": BUSINESS_ID, "name": "Acme Oy", "rights": True}
    )
    return registered("netvisor", PARTNER, key, parameters={"sender": "Aalto invoices"})


def fivaldi(sandbox: SandboxProcess) -> ClientRegistration:
    system = sandbox.system("fivaldi")
    system.put("partners", "partner-1", {"secret": "e" * 32, "companies": [CUID, CUID_2]})
    system.put("companies", CUID, {"business_id": BUSINESS_ID, "name": "Acme Oy"})
    system.put("companies", CUID_2, {"business_id": OTHER_BUSINESS_ID, "name": "Birch Oy"})
    return registered("fivaldi", "partner-1", "e" * 32)


def maventa(sandbox: SandboxProcess, *, verified: bool = True) -> ClientRegistration:
    system = sandbox.system("maventa")
    system.put("vendors", VENDOR_KEY, {"enabled": True})
    for company in (COMPANY, COMPANY_2):
        system.put("companies", company, {"name": "Acme Oy", "verified": verified, "keys": {MAVENTA_KEY: None}})
    return registered("maventa", "aalto-software", VENDOR_KEY)


def registered(provider_id: str, client_id: str, secret: str = "", **more: Any) -> ClientRegistration:
    return register.register_client(
        provider_id,
        environment="local",
        client_id=client_id,
        client_secret=Secret(secret) if secret else None,
        redirect_key=f"key-{provider_id}",
        actor=people.STAFF,
        **more,
    )


def link(tenant: Tenant, provider_id: str, *, repair: Connection | None = None, label: str = "") -> Any:
    return sessions.create(tenant, [provider_id], connection=repair, label=label, actor=people.STAFF).session


def enter(tenant: Tenant, provider_id: str, typed: dict[str, str], *, repair: Connection | None = None) -> Connection:
    started = entering.enter(link(tenant, provider_id, repair=repair), provider_id, typed)
    return connection_of(started)


def connection_of(started: Started) -> Connection:
    flow = AuthorizationRequest.objects.select_related("session").get(pk=started.flow_id)
    return Connection.objects.select_related("registration").get(pk=flow.session.connection_id)
