"""Connections that hold what a customer typed in, written as rows: for tests that are not about how it got there."""

from broker.services import credentials, register
from providers.messages import EnteredCredential, OAuthCredential, Secret, StoredCredential
from tenants.models import ClientRegistration, Connection, RenewalSlot, Tenant
from tests import people

CUID = "4CAB0000000000000000000000000001"
NETVISOR = "https://integration.netvisor.fi"
FIVALDI = f"https://api.fivaldi.net/customer/api/companies/{CUID}"
CUSTOMER_KEY, PARTNER_KEY = "AAAABBBBCCCCDDDD0000111122223333", "99998888777766665555444433332222"


def netvisor(tenant: Tenant, **parameters: str) -> Connection:
    registration = registered("netvisor", parameters={"sender": "Aalto invoices", **parameters})
    return connected(
        tenant,
        registration,
        entered(customer_id="XX_demo_1_12345", customer_key=CUSTOMER_KEY, organisation_id="0112038-9"),
    )


def fivaldi(tenant: Tenant) -> Connection:
    return connected(tenant, registered("fivaldi"), entered(cuid=CUID))


def entered(**fields: str) -> EnteredCredential:
    return EnteredCredential(fields={name: Secret(value) for name, value in fields.items()})


def minted(scopes: tuple[str, ...], **fields: str) -> OAuthCredential:
    """An access token that the provider has never seen, with what the next one is made from."""
    return OAuthCredential(access_token=Secret("made-by-hand"), scope=scopes, entered=entered(**fields))


def registered(
    provider_id: str, *, environment: str = "production", parameters: dict[str, str] | None = None
) -> ClientRegistration:
    return register.register_client(
        provider_id,
        environment=environment,
        client_id="Ptn_123",
        client_secret=Secret(PARTNER_KEY),
        parameters=parameters,
        actor=people.STAFF,
    )


def connected(
    tenant: Tenant,
    registration: ClientRegistration,
    credential: StoredCredential,
    *,
    life_seconds: float | None = None,
) -> Connection:
    connection = Connection.objects.create(
        tenant=tenant, registration=registration, provider_id=registration.provider_id, state="connected"
    )
    owners = {"tenant_id": connection.tenant_id, "registration_id": connection.registration_id}
    RenewalSlot.objects.create(connection=connection, **owners, state="parked", fence=1)
    credentials.store(connection, 1, credential, life_seconds)
    return connection
