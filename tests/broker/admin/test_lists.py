"""Lists find what support looks for, cost the same for a page of any table, and take no nonsense."""

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from broker.admin.base import CappedPaginator
from tenants.models import Connection, Credential, Reason, RenewalSlot, State, Tenant
from tests import people
from tests.fakes.sandbox import SandboxProcess
from tests.people import PROVIDER, People

LIST = "/admin/tenants/connection/"
MODELS = (
    "connection",
    "tenant",
    "caller",
    "apikey",
    "trustedissuer",
    "clientregistration",
    "connectsession",
    "auditevent",
    "expirynotice",
    "credentialorphan",
    "webhookendpoint",
    "webhookdelivery",
)


@pytest.fixture
def settled(db: None, local_provider: SandboxProcess) -> People:
    """As elsewhere, but rolled back afterwards: nothing here needs real transactions."""
    return people.settle()


@pytest.fixture
def three(settled: People) -> dict[str, Connection]:
    return {
        "kuura": _make(settled, settled.aalto, external_name="Kuura Oy", external_subject="1234567-8"),
        "routa": _make(settled, settled.birch, external_name="Routa AB", label="branch", state=State.DEGRADED),
        "halla": _make(
            settled,
            settled.birch,
            external_name="Halla AS",
            state=State.REAUTHORIZATION_REQUIRED,
            reason=Reason.GRANT_REVOKED,
        ),
    }


def _make(settled: People, tenant: Tenant, **fields: object) -> Connection:
    return Connection.objects.create(
        **{
            "tenant": tenant,
            "registration": settled.registration,
            "provider_id": PROVIDER,
            "state": "connected",
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=kuura", ["kuura"]),
        ("q=1234567", ["kuura"]),
        ("q=branch", ["routa"]),
        ("q=birch", ["routa", "halla"]),
        ("q=Birch+AB", ["routa", "halla"]),
        ("q={halla}", ["halla"]),
        ("q=nobody", []),
        ("tenant=birch", ["routa", "halla"]),
        ("tenant=AALTO+oy", ["kuura"]),
        ("tenant=nobody", []),
        ("state=degraded", ["routa"]),
        ("reason=grant_revoked", ["halla"]),
        ("provider=visma-eaccounting", ["kuura", "routa", "halla"]),
        ("state=degraded&tenant=birch&q=routa", ["routa"]),
        ("state=connected&tenant=birch", []),
        # What is not a choice matches nothing, rather than everything.
        ("state=on_fire", []),
        ("provider=nowhere", []),
        ("state=%00", []),
        ("tenant=%00birch", ["routa", "halla"]),
    ],
)
def test_search_and_filters(support: Client, three: dict[str, Connection], query: str, found: list[str]) -> None:
    page = support.get(f"{LIST}?{query.format(**{name: row.pk for name, row in three.items()})}")
    assert page.status_code == 200
    shown = {name for name, row in three.items() if str(row.pk) in page.content.decode()}
    assert shown == set(found)


def test_a_row_says_state_and_reason_in_words(support: Client, three: dict[str, Connection]) -> None:
    page = support.get(f"{LIST}?state=reauthorization_required").content.decode()
    assert '<span class="badge badge-reauthorization_required">Customer must connect again</span>' in page
    assert '<div class="small-print">No longer accepted</div>' in page


def test_the_typed_filter_keeps_the_other_choices(support: Client, three: dict[str, Connection]) -> None:
    page = support.get(f"{LIST}?state=degraded&q=routa").content.decode()
    form = page.split('class="typed-filter"')[1].split("</form>")[0]
    assert '<input type="hidden" name="state" value="degraded">' in form
    assert '<input type="hidden" name="q" value="routa">' in form


@pytest.mark.parametrize("model", MODELS)
def test_the_number_of_queries_does_not_grow_with_the_rows(
    root: Client, three: dict[str, Connection], settled: People, model: str
) -> None:
    url = f"/admin/tenants/{model}/"
    root.get(url)
    few = _queries(root, url)
    for number in range(12):
        tenant = Tenant.objects.create(slug=f"more-{number}", name=f"More {number}")
        row = _make(settled, tenant, external_name=f"More {number}")
        RenewalSlot.objects.create(connection=row, tenant_id=row.tenant_id, registration_id=row.registration_id)
    assert _queries(root, url) == few


def _queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(database) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def test_sealed_columns_are_not_even_read(root: Client, three: dict[str, Connection]) -> None:
    urls = [f"/admin/tenants/{model}/" for model in MODELS] + [f"{LIST}{three['kuura'].pk}/change/", "/admin/"]
    for url in urls:
        with CaptureQueriesContext(database) as captured:
            root.get(url)
        read = " ".join(query["sql"] for query in captured)
        for column in ("sealed", "secret_hash", "token_hash", "wrapped", "fingerprint"):
            assert column not in read, f"{url} reads {column}"


def test_counting_stops_at_the_limit(
    support: Client, three: dict[str, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CappedPaginator, "limit", 2)
    with CaptureQueriesContext(database) as captured:
        page = support.get(LIST).content.decode()
    assert "More than 2 connections: search or filter" in page
    counts = [query["sql"] for query in captured if "COUNT(" in query["sql"]]
    assert counts
    assert all("LIMIT 3" in sql for sql in counts)


@pytest.mark.parametrize(
    "lookup",
    [
        "registration__sealed_secrets__startswith=a",
        "credential__sealed=a",
        "credential__refresh_fingerprint=a",
        "tenant__data_keys__wrapped=a",
        "connect_sessions__token_hash=a",
        "external_name=Kuura",
    ],
)
def test_no_other_column_can_be_asked_for(root: Client, three: dict[str, Connection], lookup: str) -> None:
    assert root.get(f"{LIST}?{lookup}").status_code == 400


@pytest.mark.parametrize("model", ["apikey/?secret_hash__startswith=", "connectsession/?token_hash="])
def test_a_hash_cannot_be_guessed_by_filtering(root: Client, model: str) -> None:
    assert root.get(f"/admin/tenants/{model}a").status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "p=999999",
        "p=abc",
        "o=99.-1.x",
        "q=%00",
        "all=",
        "_facets",
        "e=1",
        "q=" + "x" * 5000,
        "_popup=1",
        "_to_field=id",
    ],
)
def test_odd_queries_are_answered_without_a_fault(root: Client, three: dict[str, Connection], query: str) -> None:
    for model in MODELS:
        assert root.get(f"/admin/tenants/{model}/?{query}", follow=True).status_code in (200, 400)


@pytest.mark.parametrize("pk", ["nonsense", "1", "%00", "x" * 300, "99999999999999999999999", "-1", "_5C"])
def test_odd_ids_are_not_found(root: Client, pk: str) -> None:
    for model in MODELS:
        for page in ("change", "history", "delete"):
            answer = root.get(f"/admin/tenants/{model}/{pk}/{page}/")
            assert answer.status_code in (302, 403, 404), f"{model} {page}: {answer.status_code}"


def test_odd_selections_are_refused(root: Client, three: dict[str, Connection]) -> None:
    for fields in (
        {"action": "suspend", "_selected_action": "nonsense"},
        {"action": "suspend", "_selected_action": "", "index": "x"},
        {"action": "explode", "_selected_action": str(three["kuura"].pk)},
        {"action": "suspend"},
    ):
        assert root.post(LIST, fields, follow=True).status_code == 200
    assert not Connection.objects.filter(state="suspended").exists()


def test_what_others_wrote_is_shown_inert(root: Client, settled: People, three: dict[str, Connection]) -> None:
    nasty = "<script>alert(1)</script>"
    row = _make(
        settled, settled.aalto, external_name=nasty, external_subject=nasty, label=nasty, scopes_granted=[nasty]
    )
    for url in (LIST, f"{LIST}{row.pk}/change/"):
        page = root.get(url).content.decode()
        assert nasty not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_page_survives_what_the_catalogue_has_lost(support: Client, settled: People) -> None:
    row = _make(settled, settled.aalto, provider_id="long-gone", scopes_asked=["a"])
    page = support.get(f"{LIST}{row.pk}/change/")
    assert page.status_code == 200
    assert "long-gone" in page.content.decode()
    assert not Credential.objects.exists()
