"""Who appears in tests: tenant Aalto (the owner), tenant Birch (the stranger), and their callers."""

from dataclasses import dataclass

from broker.services import enrolment, register
from providers.messages import Secret
from tenants import audit
from tenants.models import Caller, ClientRegistration, Operation, Tenant
from tests.fakes import sandbox as fake

PROVIDER = "visma-eaccounting"
RETURN_URL = "https://app.aalto.example/connected"
EVERYTHING = tuple(Operation.values)
STAFF = audit.staff("tester")


@dataclass
class People:
    """Two tenants, a caller of each, a caller that may do nothing at Aalto, and one shared registration."""

    aalto: Tenant
    birch: Tenant
    aalto_key: str
    birch_key: str
    powerless_key: str
    registration: ClientRegistration


def settle() -> People:
    aalto = register.create_tenant("aalto", name="Aalto Oy", locale="en", return_urls=[RETURN_URL], actor=STAFF)
    birch = register.create_tenant("birch", name="Birch AB", locale="sv", actor=STAFF)
    return People(
        aalto=aalto,
        birch=birch,
        aalto_key=new_key("aalto-service", [aalto], EVERYTHING),
        birch_key=new_key("birch-service", [birch], EVERYTHING),
        powerless_key=new_key("powerless", [birch], (Operation.CONNECTION_READ.value,)),
        registration=register_sandbox(),
    )


def new_key(name: str, tenants: list[Tenant] | None, operations: tuple[str, ...]) -> str:
    _, _, key = enrolment.create_caller(
        name, tenants=tenants, providers=[], operations=operations, expires_days=30, actor=STAFF
    )
    return key


def register_sandbox(
    *, client_id: str = fake.CLIENT_ID, client_secret: str = fake.CLIENT_SECRET, redirect_key: str = "visma-eaccounting"
) -> ClientRegistration:
    return register.register_client(
        PROVIDER,
        environment="local",
        client_id=client_id,
        client_secret=Secret(client_secret),
        redirect_key=redirect_key,
        actor=STAFF,
    )


def caller_of(name: str) -> Caller:
    return Caller.objects.get(name=name)
