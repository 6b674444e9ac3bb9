"""Each system whose credential is typed in: connected by its form, refused by it, ended without a trace."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from broker.services import credentials, entering, revoke
from broker.services.entering import EntryRefused
from providers.messages import EnteredCredential, OAuthCredential
from tenants.models import Connection, Credential, CredentialOrphan
from tests import people
from tests.broker.services.signed_in import ACME
from tests.broker.services.typed_in import COMPANY, MAVENTA_KEY, VENDOR_KEY, enter, link, registered
from tests.house.canaries import dump

SECRET = "e2b9f1d4-1111-4222-8333-9e4455667788"


@dataclass(frozen=True)
class Form:
    """What the sandbox knows, what staff register, what a customer types and which value of it is spoiled."""

    provider_id: str
    fixtures: tuple[tuple[str, str, str, dict[str, Any]], ...]
    registration: tuple[str, str]
    typed: dict[str, str]
    wrong: dict[str, str]
    mints: bool = True
    parameters: dict[str, str] = field(default_factory=dict)


FORMS = {
    "maventa": Form(
        "maventa",
        (
            ("maventa", "vendors", VENDOR_KEY, {}),
            ("maventa", "companies", COMPANY, {"name": "Acme Oy", "keys": {MAVENTA_KEY: None}}),
        ),
        ("aalto", VENDOR_KEY),
        {"company_uuid": COMPANY, "user_api_key": MAVENTA_KEY},
        {"user_api_key": SECRET},
    ),
    "payslip-account": Form(
        "maventa-payslip",
        (("maventa-payslip", "accounts", COMPANY, {"user_api_key": MAVENTA_KEY}),),
        ("aalto", ""),
        {"company_uuid": COMPANY, "user_api_key": MAVENTA_KEY},
        {"user_api_key": SECRET},
        mints=False,
    ),
    "payslip-direct-print": Form(
        "maventa-payslip",
        (("maventa-payslip", "logins", "acme-print", {"password": "palkka-2026"}),),
        ("aalto", ""),
        {"username": "acme-print", "password": "palkka-2026"},
        {"password": SECRET},
        mints=False,
    ),
    "visma-net-erp-service": Form(
        "visma-net-erp-service",
        (
            ("visma-connect", "tenants", ACME, {"name": "Acme Oy", "apps": ["isv_service"]}),
            ("visma-connect", "apps", "isv_service", {"secret": "s" * 32, "type": "service"}),
        ),
        ("isv_service", "s" * 32),
        {"tenant_id": ACME},
        {"tenant_id": SECRET},
    ),
    "e-conomic": Form(
        "e-conomic",
        (
            ("e-conomic", "apps", "app-secret-token-1", {"name": "Aalto"}),
            ("e-conomic", "agreements", "grant-token-1", {"number": 123456, "company": "Acme ApS"}),
        ),
        ("app-public-token", "app-secret-token-1"),
        {"grant_token": "grant-token-1"},
        {"grant_token": SECRET},
        mints=False,
    ),
    "tripletex": Form(
        "tripletex",
        (
            ("tripletex", "consumers", "consumer-token-0001", {"name": "Aalto"}),
            ("tripletex", "employees", "employee-token-0001", {"company": "Acme AS"}),
        ),
        ("aalto", "consumer-token-0001"),
        {"employee_token": "employee-token-0001"},
        {"employee_token": SECRET},
    ),
    "severa": Form(
        "severa",
        (
            (
                "severa",
                "apps",
                "severa-app-1",
                {"secret": "severa-secret-1", "scopes": ["organization:read", "customers:read"], "company": "Acme Oy"},
            ),
        ),
        ("aalto", ""),
        {"severa_client_id": "severa-app-1", "severa_client_secret": "severa-secret-1"},
        {"severa_client_secret": SECRET},
    ),
    "procountor": Form(
        "procountor",
        (
            ("procountor", "apps", "aalto", {"secret": "s" * 32, "redirect_uri": "https://aalto.example/procountor"}),
            ("procountor", "companies", "procountor-api-key-1", {"name": "Acme Oy"}),
        ),
        ("aalto", "s" * 32),
        {"api_key": "procountor-api-key-1"},
        {"api_key": SECRET},
        parameters={"redirect_uri": "https://aalto.example/procountor"},
    ),
}


@pytest.fixture(params=FORMS)
def form(request, settled, local_provider):
    form = FORMS[request.param]
    for system, kind, identifier, members in form.fixtures:
        local_provider.system(system).put(kind, identifier, members)
    registered(form.provider_id, *form.registration, parameters=form.parameters)
    return form


def test_connects_and_ends_without_a_trace(form, settled):
    connection = enter(settled.aalto, form.provider_id, form.typed)
    assert (connection.state, connection.reason) == ("connected", "")
    assert connection.external_subject
    held = credentials.open_current(connection.credential, connection.tenant_id)
    entered = held.entered if isinstance(held, OAuthCredential) else held
    assert isinstance(held, OAuthCredential) is form.mints
    assert isinstance(entered, EnteredCredential)
    assert {name: value.reveal() for name, value in entered.fields.items()} == form.typed
    assert enter(settled.aalto, form.provider_id, form.typed, repair=connection).pk == connection.pk
    assert revoke.disconnect(connection, actor=people.STAFF) is False
    assert not (Credential.objects.exists() or CredentialOrphan.objects.exists())


def test_a_wrong_value_stores_nothing_and_is_repeated_nowhere(form, settled):
    session = link(settled.aalto, form.provider_id)
    with pytest.raises(EntryRefused) as caught:
        entering.enter(session, form.provider_id, {**form.typed, **form.wrong})
    assert caught.value.code in ("credential_refused", "right_missing"), caught.value.code
    assert set(caught.value.fields) <= set(form.typed)
    assert not Connection.objects.exists()
    assert not [value for value in dump() if SECRET.encode() in value]
    assert SECRET not in str(vars(caught.value))


def test_a_button_alone_where_nothing_is_typed(settled, local_provider):
    local_provider.system("maventa").put("operators", "aalto-operator", {"secret": "o" * 32})
    registered("maventa-operator", "aalto-operator", "o" * 32, tenant=settled.aalto)
    connection = enter(settled.aalto, "maventa-operator", {})
    assert (connection.state, connection.external_subject != "") == ("connected", True)
