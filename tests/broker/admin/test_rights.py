"""Who may open and press what: every address of the desk, for everybody."""

from collections.abc import Iterator
from importlib import import_module

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from broker.admin import desk
from broker.admin.parked_verbs import PARKED_VERBS
from broker.admin.verbs import VERBS
from tenants.models import ApiKey, AuditEvent, Connection, ConnectSession
from tests import people
from tests.broker.admin import ends, hooks, orphans
from tests.broker.admin.issuing import trusted_issuer
from tests.people import People

SUPPORT_SEES = (
    "connection",
    "tenant",
    "caller",
    "clientregistration",
    "connectsession",
    "auditevent",
    "expirynotice",
    "credentialorphan",
    "webhookendpoint",
    "webhookdelivery",
)
PEOPLE = ("anonymous", "bystander", "support", "superuser")
# Pages that are no model's: what a GET gives (bystander, support, superuser), and what a POST gives all three.
OWN_PAGES = {
    "index": ((200, 200, 200), 200),
    "login": ((302, 302, 302), 200),
    "logout": ((405, 405, 405), 200),
    "password_change": ((200, 200, 200), 200),
    "password_change_done": ((200, 200, 200), 405),
    "autocomplete": ((403, 403, 403), 405),
    "jsi18n": ((200, 200, 200), 405),
    "app_list": ((404, 200, 200), None),
    "": ((404, 404, 404), 404),
}
EDITABLE = ("tenant", "caller", "apikey", "trustedissuer", "clientregistration", "user")


@pytest.fixture
def rows(settled: People, connection: Connection, superuser: User) -> dict[str, object]:
    return {
        "expirynotice": ends.secret_ends(settled.registration).pk,
        "credentialorphan": orphans.held(connection).pk,
        "connection": connection.pk,
        "tenant": settled.aalto.pk,
        "caller": people.caller_of("powerless").pk,
        "clientregistration": settled.registration.pk,
        "connectsession": ConnectSession.objects.values_list("pk", flat=True)[0],
        "auditevent": AuditEvent.objects.values_list("pk", flat=True)[0],
        "apikey": ApiKey.objects.values_list("pk", flat=True)[0],
        "trustedissuer": trusted_issuer().pk,
        "user": superuser.pk,
        **hooks.one_of_each(settled),
    }


@pytest.mark.parametrize("who", PEOPLE)
def test_every_address_answers_as_the_matrix_says(
    who: str, rows: dict[str, object], superuser: User, supporter: User, bystander: User
) -> None:
    users = {"bystander": bystander, "support": supporter, "superuser": superuser}
    wrong = []
    for name, url in _addresses(rows):
        for method in ("get", "post"):
            client = Client()
            if who != "anonymous":
                client.force_login(users[who])
            answer = getattr(client, method)(url)
            expected = _expected(who, name, method)
            if answer.status_code != expected:
                wrong.append(f"{method} {url} ({name}): {answer.status_code}, not {expected}")
            if who == "anonymous" and answer.status_code == 302:
                assert answer.url.startswith("/admin/login/") or name == "logout"
    assert not wrong, "\n".join(wrong)


def _expected(who: str, name: str, method: str) -> int:
    if who == "anonymous":
        return 200 if name == "login" else 302
    place = PEOPLE.index(who) - 1
    if name in OWN_PAGES:
        gets, posts = OWN_PAGES[name]
        return gets[place] if method == "get" or posts is None else posts
    if name in ("tenants_connection_do", "tenants_clientregistration_try"):
        return 403 if who == "bystander" else 405 if method == "get" else 302
    if name == "auth_user_password_change":
        return 200 if who == "superuser" else 403
    if name == "tenants_tenant_export":
        return 200 if who == "superuser" else 403
    if name == "tenants_tenant_end":
        # A POST without the slug asks again.
        return 200 if who == "superuser" else 403
    _, model, kind = name.split("_")
    if (model, kind, method) == ("connection", "change", "post"):
        return 405
    if who == "bystander" or (who == "support" and model not in SUPPORT_SEES):
        return 403
    return _of_model(who, model, kind, method)


def _of_model(who: str, model: str, kind: str, method: str) -> int:
    if kind == "delete" or (kind == "add" and (who, model) != ("superuser", "user")):
        return 403
    if (model, kind) == ("connection", "history"):
        return 302
    if (kind, method) == ("change", "post"):
        # What may be left empty is saved so; elsewhere an empty form is shown again.
        saved = 302 if model in ("clientregistration", "apikey") else 200
        return saved if who == "superuser" and model in EDITABLE else 403
    return 200


def _addresses(rows: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Every pattern of the desk, filled in; a page that is new has to be put into the matrix."""
    for name, route in _patterns(desk.get_urls(), ""):
        model = name.split("_")[1] if name.count("_") >= 2 and name not in OWN_PAGES else ""
        pk = str(rows.get(model, "1"))
        for gap in ("<path:object_id>", "<uuid:pk>", "<id>"):
            route = route.replace(gap, pk)
        route = route.replace("<path:content_type_id>/<path:object_id>", "1/1").replace("<slug:name>", "suspend")
        for fixed in ("<path:content_type_id>",):
            route = route.replace(fixed, "1")
        if route.startswith("^"):
            yield name, "/admin/tenants/" if name == "app_list" else "/admin/nowhere/"
        else:
            yield name, f"/admin/{route}"


def _patterns(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, str]]:
    for each in patterns:
        route = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _patterns(each.url_patterns, route)
        elif each.name or str(each.pattern).startswith("(?P<url>"):
            yield each.name or "", route if "(?P" not in route else f"^{route}"


def test_a_sign_in_that_waits_needs_the_right_to_repair(bystander: User, connection: Connection) -> None:
    client = Client()
    client.force_login(bystander)
    others = [f"{verb.permission}_connection" for verb in VERBS.values() if verb.permission != "repair"]
    _allow(bystander, "view_connection", *others)
    for name in PARKED_VERBS:
        address = reverse("admin:tenants_connection_do", args=[connection.pk, name])
        assert client.post(address, {"confirmed": "yes"}).status_code == 403
    _allow(bystander, "repair_connection")
    client.force_login(User.objects.get(pk=bystander.pk))
    for name in PARKED_VERBS:
        address = reverse("admin:tenants_connection_do", args=[connection.pk, name])
        assert client.post(address, {"confirmed": "yes"}).status_code == 302


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_has_a_right_of_its_own(name: str, bystander: User, connection: Connection) -> None:
    verb = VERBS[name]
    if connection.state not in verb.states:
        Connection.objects.filter(pk=connection.pk).update(state=next(iter(verb.states)))
    _allow(bystander, "view_connection", f"{verb.permission}_connection")
    client = Client()
    client.force_login(bystander)
    page = client.get(reverse("admin:tenants_connection_change", args=[connection.pk])).content.decode()
    listed = client.get(reverse("admin:tenants_connection_changelist")).content.decode()
    for other in VERBS.values():
        may = other.permission == verb.permission
        here = f"/do/{other.name}/" in page
        assert here <= may
        assert (f'<option value="{other.name}">' in listed) is may
        if not may:
            pressed = client.post(reverse("admin:tenants_connection_do", args=[connection.pk, other.name]))
            assert pressed.status_code == 403
    assert f"/do/{name}/" in page


def test_a_list_action_without_its_right_does_nothing(bystander: User, connection: Connection) -> None:
    _allow(bystander, "view_connection")
    client = Client()
    client.force_login(bystander)
    client.post(
        reverse("admin:tenants_connection_changelist"), {"action": "suspend", "_selected_action": connection.pk}
    )
    connection.refresh_from_db()
    assert connection.state == "connected"


def test_a_button_needs_the_csrf_token(supporter: User, connection: Connection) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(supporter)
    assert client.post(reverse("admin:tenants_connection_do", args=[connection.pk, "suspend"])).status_code == 403
    connection.refresh_from_db()
    assert connection.state == "connected"


def test_the_home_panel_is_for_those_who_may_see_connections(bystander: User, support: Client) -> None:
    client = Client()
    client.force_login(bystander)
    assert "tile-count" not in client.get("/admin/").content.decode()
    assert "tile-count" in support.get("/admin/").content.decode()


def test_the_migration_makes_the_group_with_exactly_its_rights_and_takes_it_away(transactional_db: None) -> None:
    wanted = set(import_module("tenants.migrations.0003_support_group").CODENAMES)
    newest = [node for node in MigrationExecutor(database).loader.graph.leaf_nodes() if node[0] == "tenants"]
    try:
        call_command("migrate", "tenants", "0002", verbosity=0)
        assert not Group.objects.filter(name="support").exists()
        Permission.objects.filter(content_type__app_label="tenants").delete()
        call_command("migrate", *newest[0], verbosity=0)
        group = Group.objects.get(name="support")
        assert set(group.permissions.values_list("codename", flat=True)) == wanted
    finally:
        call_command("migrate", *newest[0], verbosity=0)


def _allow(user: User, *codenames: str) -> None:
    user.user_permissions.add(*Permission.objects.filter(content_type__app_label="tenants", codename__in=codenames))
