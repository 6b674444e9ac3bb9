"""Who is measured: a caller, tenants, client registrations, and what a connection at each system holds."""

from dataclasses import dataclass
from datetime import timedelta

from broker.services import enrolment, register
from providers.messages import EnteredCredential, OAuthCredential, Secret, StoredCredential
from tenants import audit
from tenants.models import Caller, ClientRegistration, Operation, Tenant

TENANTS = 100
# More than any round asks for: the limits are kept, and never reached.
UNLIMITED = 2_000_000_000
# As long as an access token of this provider, a JWT, is.
ACCESS_TOKEN = "x" * 900
_STAFF = audit.staff("bench")
CUID = "4CAB0000000000000000000000000001"
_OPERATIONS = [Operation.TOKEN_READ, Operation.CONNECTION_READ, Operation.METRICS_READ]


@dataclass(frozen=True)
class Kind:
    """One system: how it is registered, what a connection holds, and a request that a caller would have signed."""

    provider: str
    held: StoredCredential
    parameters: dict[str, str]
    life: timedelta | None = None
    request: dict[str, str] | None = None
    environment: str = "production"


def _entered(**fields: str) -> EnteredCredential:
    return EnteredCredential(fields={name: Secret(value) for name, value in fields.items()})


EACCOUNTING = Kind(
    "visma-eaccounting",
    OAuthCredential(
        access_token=Secret(ACCESS_TOKEN), refresh_token=Secret("y" * 64), scope=("ea:api", "offline_access")
    ),
    {},
    life=timedelta(hours=6),
)
NETVISOR = Kind(
    "netvisor",
    _entered(
        customer_id="XX_demo_1_12345", customer_key="AAAABBBBCCCCDDDD0000111122223333", organisation_id="0112038-9"
    ),
    {"sender": "Bench"},
    request={
        "method": "GET",
        "url": "https://integration.netvisor.fi/salesinvoicelist.nv?invoicestatus=open&keyword=M%C3%A4kel%C3%A4",
    },
)
# Renewed in the background at the peer of bench/peer.py, whose catalogue entry bench/catalogue.py writes.
RENEWED = Kind(
    "bench",
    OAuthCredential(
        access_token=Secret(ACCESS_TOKEN), refresh_token=Secret("y" * 64), scope=("ea:api", "offline_access")
    ),
    {},
    life=timedelta(hours=6),
    environment="local",
)
FIVALDI = Kind(
    "fivaldi",
    _entered(cuid=CUID),
    {},
    request={
        "method": "POST",
        "url": f"https://api.fivaldi.net/customer/api/companies/{CUID}/customers/createCustomer",
        "body": '{"customerName":"Asiakas Oy","note":"50"}',
        "content_type": "application/json",
    },
)


def caller_key() -> str:
    """Return the key of a caller that may read every tenant's tokens and connections, as often as it likes."""
    caller, _, key = enrolment.create_caller(
        "bench", tenants=None, providers=[], operations=_OPERATIONS, expires_days=1, actor=_STAFF
    )
    limits = {"rate_per_minute": UNLIMITED, "connections_per_hour": UNLIMITED}
    Caller.objects.filter(pk=caller.pk).update(**limits)
    return key


def registration(kind: Kind) -> ClientRegistration:
    return register.register_client(
        kind.provider,
        environment=kind.environment,
        client_id="bench",
        client_secret=Secret("a-secret-that-no-provider-knows"),
        parameters=kind.parameters,
        actor=_STAFF,
    )


def tenants(count: int = TENANTS) -> list[Tenant]:
    return [register.create_tenant(f"bench-{n}", name=f"Tenant {n}", actor=_STAFF) for n in range(count)]
