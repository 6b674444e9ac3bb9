"""No secret is on any page of the desk, in its log, in a session or in a dump, whoever looks."""

import base64
import io
import re
from collections.abc import Iterator

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import transaction
from django.test import Client

from broker.services import authorize, credentials, sessions
from providers.messages import OAuthCredential, Secret
from tenants import audit, models
from tenants.querysets import slots
from tests import people
from tests.fakes.sandbox import SandboxProcess
from tests.people import People

ACCESS, REFRESH, CLIENT = "canary-access-7f3a9c", "canary-refresh-51bd2e", "canary-client-secret-90ce44"
LINK = re.compile(r'(?:href|action)="([^"#]*)"')


@pytest.fixture
def settled(db: None, local_provider: SandboxProcess) -> People:
    return people.settle()


@pytest.fixture
def secrets(settled: People) -> list[bytes]:
    """Every secret that is stored somewhere, clear, hashed and sealed alike."""
    registration = people.register_sandbox(client_id="canary", client_secret=CLIENT, redirect_key="canary")
    connection = models.Connection.objects.create(
        tenant=settled.aalto, registration=registration, provider_id=people.PROVIDER, state="connected"
    )
    pair = OAuthCredential(access_token=Secret(ACCESS), refresh_token=Secret(REFRESH), extras={"id_token": ACCESS})
    with transaction.atomic():
        for _ in range(2):
            credentials.store(connection, slots.seize(connection.pk), pair, 3600)
    credentials.store_orphan(
        tenant_id=settled.aalto.pk, connection_id=connection.pk, fence=9, credential=pair, outcome="held"
    )
    link = sessions.create(settled.aalto, [people.PROVIDER], connection=connection, actor=audit.staff("tester"))
    started = authorize.begin(link.session, people.PROVIDER)
    clear = [ACCESS, REFRESH, CLIENT, link.url.rsplit("/", 1)[-1], started.browser_secret]
    keys = [settled.aalto_key.split("_")[3], settled.birch_key.split("_")[3]]
    return [each.encode() for each in clear + keys] + list(_binary_columns())


def _binary_columns() -> Iterator[bytes]:
    for model in (getattr(models, name) for name in models.__all__):
        if not hasattr(model, "_meta"):
            continue
        columns = [field.name for field in model._meta.fields if field.get_internal_type() == "BinaryField"]
        for row in model._base_manager.values_list(*columns) if columns else ():
            yield from (bytes(value) for value in row if value)


def _shapes(secret: bytes) -> list[str]:
    """As a page might carry it: as it is, in hex, in base64 wherever a longer base64 text may have put it."""
    whole = [secret.hex(), base64.b64encode(secret).decode(), base64.urlsafe_b64encode(secret).decode()]
    if secret.isascii():
        whole.append(secret.decode())
    else:
        whole.append(repr(secret)[2:-1])
    inside = [base64.b64encode(b"x" * shift + secret)[4:-4].decode() for shift in range(3)]
    return [*whole, *inside]


def test_every_kind_of_secret_is_among_the_canaries(secrets: list[bytes]) -> None:
    assert len(secrets) > 20
    assert all(len(secret) >= 16 for secret in secrets)


def test_no_page_of_the_desk_carries_a_secret(root: Client, secrets: list[bytes], settled: People) -> None:
    pages = dict(_crawl(root))
    for model in ("connection", "tenant", "caller", "apikey", "clientregistration", "connectsession", "auditevent"):
        assert any(re.fullmatch(rf"/admin/tenants/{model}/[^/]+/change/", url) for url in pages), model
    kept = {
        "log entries": " ".join(f"{entry.object_repr} {entry.change_message}" for entry in LogEntry.objects.all()),
        "staff sessions": " ".join(str(row.get_decoded()) for row in Session.objects.all()),
        "names of rows": " ".join(_names()),
    }
    for secret in secrets:
        for shape in _shapes(secret):
            found = [place for place, text in {**pages, **kept}.items() if shape in text]
            assert not found, f"a secret is on {found}"


def test_a_password_hash_is_not_shown(root: Client, superuser: User) -> None:
    superuser.set_password("a long enough password")
    superuser.save()
    root.force_login(superuser)
    page = root.get(f"/admin/auth/user/{superuser.pk}/change/").content.decode()
    algorithm, _, salt, digest = superuser.password.split("$")
    assert "Reset password" in page
    for part in (algorithm, salt[:6], digest[:6]):
        assert part not in page


def _names() -> Iterator[str]:
    for model in (getattr(models, name) for name in models.__all__):
        if hasattr(model, "_meta"):
            yield from (f"{row} {row!r}" for row in model._base_manager.all())


def _crawl(client: Client) -> Iterator[tuple[str, str]]:
    """Every page that links lead to, filters included."""
    waiting, seen = ["/admin/"], {"/admin/"}
    while waiting:
        url = waiting.pop()
        answer = client.get(url, follow=True)
        assert answer.status_code in (200, 403, 405), f"{url}: {answer.status_code}"
        text = answer.content.decode()
        yield url, text
        for found in LINK.findall(text.replace("&amp;", "&")):
            target = _absolute(url, found)
            if target and target not in seen and len(seen) < 500:
                seen.add(target)
                waiting.append(target)


def _absolute(url: str, found: str) -> str:
    if found.startswith("?"):
        # One filter at a time, and no orders: their combinations show nothing more.
        return "" if "?" in url or found.startswith(("?o=", "?action=")) else url + found
    if "/logout/" in found or "/do/" in found:
        return ""
    return found if found.startswith("/admin/") else ""


def test_a_dump_holds_sealed_blobs_only(secrets: list[bytes]) -> None:
    dump = io.StringIO()
    call_command("dumpdata", "tenants", "auth", "admin", stdout=dump)
    text = dump.getvalue()
    assert "tenants.credential" in text
    for secret in (each for each in secrets if each.isascii() and len(each) < 100):
        for shape in _shapes(secret):
            assert shape not in text
