"""What staff see of a system's particulars: what is kept and since when, its last error, its end."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from broker.services import credentials, directory
from providers.messages import EnteredCredential, Secret
from tenants import audit
from tenants.models import ClientRegistration, Connection, Credential, MintedToken
from tenants.querysets import slots
from tests import people
from tests.fakes.sandbox import SandboxProcess
from tests.people import People

VANISHING = """
id = "vanishing"
display_name = "Vanishing Books"
documentation = "https://vanishing.example/docs"
verified_on = 2026-11-21
sunset_on = {end}
sunset_note = "Customers move to Staying Books."

[environments.test]
issuer = "https://vanishing.example"
authorization_endpoint = "https://vanishing.example/authorize"
token_endpoint = "https://vanishing.example/token"
api_base_url = "https://api.vanishing.example"
"""
TYPED = """
id = "typed"
display_name = "Typed Books"
documentation = "https://typed.example/docs"
verified_on = 2026-11-21
grant_types_supported = []
api_authorization = "none"
api_headers = {{ "X-Key" = "{{key}}" }}

[environments.test]
api_base_url = "https://api.typed.example"

[external_account]
endpoint = "{{api_base_url}}/self"
subject_path = "id"

[[entered_fields]]
name = "company"
label = "Number of the company"
[[entered_fields]]
name = "key"
label = "Key of the company"
secret = true
way = "key"
[[entered_fields]]
name = "user"
label = "User name"
way = "person"
[[entered_fields]]
name = "password"
label = "Password"
secret = true
way = "person"

[[registration_fields]]
name = "client_id"
label = "Partner number"
[[registration_fields]]
name = "tongue"
label = "Language of error texts"
default = "FI"
[[registration_fields]]
name = "sender"
label = "Sender"
"""
KEY = "canary-typed-in-6f1d0c7a"
PAST, FUTURE = "2025-12-31", "2999-12-31"


@pytest.fixture
def catalogue(tmp_path: Path, settings: object, end: str) -> Iterator[None]:
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "vanishing.toml").write_text(VANISHING.format(end=end))
    (folder / "typed.toml").write_text(TYPED.format())
    settings.CATALOGUE_DIRECTORY = str(folder)
    directory.registry.cache_clear()
    yield
    directory.registry.cache_clear()


@pytest.fixture
def end() -> str:
    return FUTURE


@pytest.fixture
def settled(db: None, local_provider: SandboxProcess) -> People:
    """Before the catalogue changes: a registration needs its provider."""
    return people.settle()


@pytest.fixture
def vanishing(settled: People, catalogue: None) -> Connection:
    return connection(settled, registration(settled, "vanishing"))


@pytest.fixture
def typed(settled: People, catalogue: None) -> Connection:
    row = connection(settled, registration(settled, "typed", tongue="SE", sender="Acme <b>"))
    kept = EnteredCredential(fields={"company": Secret("company-00817"), "key": Secret(KEY)})
    with transaction.atomic():
        credentials.store(row, slots.seize(row.pk), kept, None)
    audit.record_for(row, "credential.stored", audit.CUSTOMER, version=1)
    return row


def registration(settled: People, provider: str, **parameters: str) -> ClientRegistration:
    return ClientRegistration.objects.create(
        provider_id=provider,
        environment="test",
        client_id=f"at-{provider}",
        redirect_key=provider,
        sealed_secrets=b"",
        data_key=settled.registration.data_key,
        parameters=parameters,
    )


def connection(settled: People, at: ClientRegistration) -> Connection:
    return Connection.objects.create(
        tenant=settled.aalto,
        registration=at,
        provider_id=at.provider_id,
        state="connected",
        external_name=f"Acme at {at.provider_id}",
    )


def page(client: Client, row: Connection | ClientRegistration) -> str:
    model = "connection" if isinstance(row, Connection) else "clientregistration"
    answer = client.get(f"/admin/tenants/{model}/{row.pk}/change/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_labels_of_what_was_typed_in_are_shown_and_no_value(support: Client, typed: Connection) -> None:
    text = page(support, typed)
    assert "Number of the company; Key of the company, or User name and Password" in text
    assert '<th scope="row">Entered</th><td><time' in text
    assert "Access token ends" not in text
    assert "Next renewal" not in text
    for value in (KEY, "company-00817"):
        assert value not in text


def test_a_key_that_is_erased_here_still_works_at_the_provider(support: Client, typed: Connection) -> None:
    url = f"/admin/tenants/connection/{typed.pk}/do/disconnect/"
    done = support.post(url, {"confirmed": "yes"}, follow=True).content.decode()
    assert "goes on working until the customer ends it at the provider" in done
    assert not Credential.objects.filter(pk=typed.pk).exists()


def test_nothing_is_said_to_be_kept_where_nothing_is(support: Client, settled: People, catalogue: None) -> None:
    assert "nothing is kept" in page(support, connection(settled, registration(settled, "typed")))


def test_a_provider_with_a_sign_in_has_no_entered_values(support: Client, vanishing: Connection) -> None:
    assert "Entered" not in page(support, vanishing)


def test_tokens_by_scopes_are_listed_without_the_token(support: Client, typed: Connection) -> None:
    now = timezone.now()
    for scopes, ends, issued in (
        (["invoice:send", "lookup"], now + dt.timedelta(minutes=50, seconds=30), now),
        (["validate"], now - dt.timedelta(minutes=5), now),
        (["never:made"], None, None),
    ):
        MintedToken.objects.create(
            connection=typed,
            scope_key=" ".join(scopes),
            scopes=scopes,
            sealed=b"sealed-" + KEY.encode(),
            expires_at=ends,
            issued_at=issued,
        )
    text = page(support, typed)
    assert "<code>invoice:send lookup</code></th><td>ends <time" in text
    assert "<code>validate</code></th><td>ended; last used" in text
    assert "in 50\xa0minutes" in text
    assert "never:made" not in text
    assert KEY not in text


def test_the_last_error_and_its_reference_are_shown(support: Client, typed: Connection) -> None:
    assert "Last error of the provider" not in page(support, typed)
    for detail in (
        {"error": "4005", "error_id": "old-one"},
        {"error": "AUTHENTICATION_FAILED", "error_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7"},
        {"error": None, "error_id": None},
    ):
        audit.record_for(typed, "connection.degraded", audit.SYSTEM, **detail)
    text = page(support, typed)
    assert "<td>AUTHENTICATION_FAILED, <time" in text
    assert "7c9e6679-7425-40de-944b-e07fc1f90ae7<div" in text
    assert "old-one" not in text.split('id="timeline"')[0]


@pytest.mark.parametrize("reference", ["7c9e6679-7425-40de-944b-e07fc1f90ae7", "EVT 4711/b"])
def test_a_connection_is_found_by_the_reference_of_an_error(
    support: Client, typed: Connection, vanishing: Connection, reference: str
) -> None:
    audit.record_for(typed, "connection.degraded", audit.SYSTEM, error="X", error_id=reference)
    audit.record_for(vanishing, "connection.degraded", audit.SYSTEM, error="X", error_id="another one")
    found = support.get("/admin/tenants/connection/", {"q": f" {reference} "}).content.decode()
    assert (str(typed.pk) in found, str(vanishing.pk) in found) == (True, False)
    events = support.get("/admin/tenants/auditevent/", {"reference": reference}).content.decode()
    assert events.count(str(typed.pk)[:8]) >= 1
    assert str(vanishing.pk)[:8] not in events
    part = support.get("/admin/tenants/auditevent/", {"reference": reference[:-1]}).content.decode()
    assert str(typed.pk)[:8] not in part


@pytest.mark.parametrize("end", [PAST, FUTURE])
def test_the_end_of_a_system_is_told(support: Client, vanishing: Connection, end: str) -> None:
    text = f"The end of Vanishing Books was announced for {end}. Customers move to Staying Books."
    notice = f'<p class="notice notice-worry">{text}</p>'
    assert notice in page(support, vanishing)
    assert notice in page(support, vanishing.registration)
    assert f'<div class="small-print">end: {end}</div>' in support.get("/admin/tenants/connection/").content.decode()


@pytest.mark.parametrize("model", ["connection", "clientregistration"])
def test_what_is_at_a_system_that_ends_can_be_listed(
    support: Client, vanishing: Connection, typed: Connection, model: str
) -> None:
    rows = {"connection": (vanishing, typed), "clientregistration": (vanishing.registration, typed.registration)}
    listed = support.get(f"/admin/tenants/{model}/", {"ending": "announced"}).content.decode()
    assert [str(row.pk) in listed for row in rows[model]] == [True, False]
    odd = support.get(f"/admin/tenants/{model}/", {"ending": "tomorrow"}).content.decode()
    assert [str(row.pk) in odd for row in rows[model]] == [False, False]


def test_a_system_without_an_end_says_nothing_of_it(support: Client, typed: Connection) -> None:
    assert "notice-worry" not in page(support, typed) + page(support, typed.registration)


def test_a_registration_s_parameters_stand_under_the_catalogue_s_labels(support: Client, typed: Connection) -> None:
    text = page(support, typed.registration)
    assert "<div>Language of error texts: <strong>SE</strong></div>" in text
    assert "<div>Sender: <strong>Acme &lt;b&gt;</strong></div>" in text
    assert "Partner number" in text
    assert "nobody signs in at this provider" in text


def test_a_parameter_that_was_not_given_is_shown_with_its_default(
    support: Client, settled: People, catalogue: None
) -> None:
    text = page(support, registration(settled, "typed", sender="Acme", unknown="1"))
    assert "<div>Language of error texts: <strong>FI (by default)</strong></div>" in text
    assert "<div>unknown: <strong>1</strong></div>" in text


def test_the_redirect_uri_is_shown_where_somebody_signs_in(support: Client, vanishing: Connection) -> None:
    assert "/cb/vanishing" in page(support, vanishing.registration)
