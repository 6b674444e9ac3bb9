"""The commands, as a script calls them: one JSON object or one sentence, and an exit code."""

import json
import uuid
from argparse import ArgumentParser

import pytest
from django.core.management import load_command_class
from django.db import OperationalError, connection

from broker.management.base import JsonCommand
from broker.services import callers, credentials
from tenants.models import ApiKey, AuditEvent, ClientRegistration, Tenant
from tests import people
from tests.broker.managing import Manage
from tests.fakes.issuer import ISSUER, make_key
from tests.house.canaries import dump
from tests.production import PROJECT

pytestmark = pytest.mark.django_db(transaction=True)
COMMANDS = sorted(path.stem for path in (PROJECT / "broker/management/commands").glob("[a-z]*.py"))


@pytest.fixture
def acme(manage: Manage) -> str:
    return manage("create_tenant", "acme", "--name", "Acme Oy", "--json").json["id"]


REGISTER = ("register_client", people.PROVIDER, "--environment", "production", "--client-id", "c", "--json")
STDIN = ("--client-secret-file", "-")


class TestOneJsonObject:
    def test_create_tenant(self, manage):
        urls = ("--return-url", "https://a.example/x", "--return-url", "https://a.example/y")
        made = manage("create_tenant", "acme", "--name", "Acme Oy", "--locale", "fi", *urls, "--json").json
        row = Tenant.objects.get()
        assert made == {"id": str(row.id), "slug": "acme"}
        assert (row.name, row.locale, row.return_urls) == (
            "Acme Oy",
            "fi",
            ["https://a.example/x", "https://a.example/y"],
        )

    def test_create_caller_shows_the_key_this_once(self, manage, acme):
        made = manage("create_caller", "svc", "--tenant", "acme", "--operation", "token.read", "--json").json
        assert set(made) == {"id", "name", "api_key", "expires_at"}
        grant = callers.authenticate(callers.parse(f"Bearer {made['api_key']}"))
        assert (str(grant.caller_id), grant.tenant_ids) == (made["id"], frozenset([uuid.UUID(acme)]))
        secret = made["api_key"].split("_")[3].encode()
        assert not [value for value in dump() if secret in value]
        again = manage("create_caller", "svc", "--tenant", "acme", "--operation", "token.read", "--json")
        assert again.sentence == "a caller named 'svc' exists already (invalid_request)"

    def test_create_caller_for_every_tenant(self, manage):
        made = manage("create_caller", "svc", "--all-tenants", "--operation", "connection.read", "--json").json
        assert callers.authenticate(callers.parse(f"Bearer {made['api_key']}")).tenant_ids is None

    def test_one_more_key_and_the_end_of_the_old_one(self, manage):
        old = manage("create_caller", "svc", "--all-tenants", "--operation", "token.read", "--json").json["api_key"]
        new = manage("create_key", "svc", "--json").json
        assert callers.authenticate(callers.parse(f"Bearer {new['api_key']}")).caller_name == "svc"
        ended = manage("revoke_key", old.split("_")[2], "--json").json
        assert ended == {"key_id": old.split("_")[2], "revoked": True}
        assert ApiKey.objects.filter(revoked_at=None).get().key_id == new["key_id"]

    def test_a_caller_that_has_no_key(self, manage):
        made = manage("create_caller", "svc", "--all-tenants", "--operation", "token.read", "--without-key", "--json")
        assert set(made.json) == {"id", "name"}
        assert not ApiKey.objects.exists()

    def test_what_a_caller_may_do_is_changed_as_far_as_it_is_named(self, manage, acme):
        limits = ("--rate-per-minute", "60", "--connections-per-hour", "100")
        manage("create_caller", "svc", "--tenant", "acme", "--operation", "token.read", *limits)
        more = ("--provider", people.PROVIDER, "--all-tenants", "--purpose", "pay")
        now = manage("change_caller", "svc", *more, "--json").json
        assert now == {
            "name": "svc",
            "active": True,
            "operations": ["token.read"],
            "tenants": "all",
            "providers": [people.PROVIDER],
            **{"rate_per_minute": 60, "connections_per_hour": 100, "purpose": "pay"},
        }
        assert not manage("change_caller", "svc", "--stop", "--tenant", "acme", "--json").json["active"]
        now = manage("change_caller", "svc", "--resume", "--all-providers", "--rate-per-minute", "0", "--json").json
        assert (now["active"], now["tenants"], now["providers"], now["rate_per_minute"]) == (True, ["acme"], "all", 0)

    def test_where_a_key_may_come_from(self, manage):
        manage("create_caller", "svc", "--all-tenants", "--operation", "token.read", "--network", "10.0.0.0/8")
        key_id = ApiKey.objects.get(networks=["10.0.0.0/8"]).key_id
        changed = manage("change_key", key_id, "--network", "192.0.2.1", "--network", "2001:db8::/32", "--json").json
        assert changed == {"key_id": key_id, "networks": ["192.0.2.1/32", "2001:db8::/32"]}
        assert manage("change_key", key_id, "--any-network", "--json").json["networks"] == []
        assert manage("change_key", key_id, "--lift-throttle").sentence == "this key is not throttled (invalid_request)"

    def test_a_workload_of_a_trusted_issuer(self, manage, tmp_path):
        manage("create_caller", "svc", "--all-tenants", "--operation", "token.read", "--without-key")
        keys = tmp_path / "jwks.json"
        keys.write_text(json.dumps({"keys": [make_key("ES256", "first").as_dict(private=False)]}))
        terms = ("--issuer", ISSUER, "--audience", "broker", "--algorithm", "ES256", "--jwks-file", str(keys))
        trusted = manage("trust_issuer", "cluster", *terms, "--json").json
        assert (trusted["name"], trusted["issuer"], trusted["algorithms"]) == ("cluster", ISSUER, ["ES256"])
        added = manage("add_workload", "svc", "--issuer", "cluster", "--subject", "a:b", "--json").json
        row = ApiKey.objects.get()
        assert added == {"key_id": row.key_id, "caller": "svc", "subject": "a:b"}
        assert manage("distrust_issuer", "cluster", "--json").json == {"name": "cluster", "trusted": False}
        assert manage("revoke_key", row.key_id, "--json").json["revoked"]

    def test_connect_link(self, manage, acme):
        manage(*REGISTER, *STDIN, stdin="a secret")
        made = manage("connect_link", "acme", people.PROVIDER, "--locale", "sv", "--json").json
        assert set(made) == {"id", "url", "expires_at"}
        assert made["url"].startswith("http://127.0.0.1:8000/connect/")

    def test_issue_token(self, manage, connect):
        made = connect()
        issued = manage("issue_token", str(made.id), "--json").json
        opened = credentials.open_current(made.credential, made.tenant_id)
        assert issued["access_token"] == opened.access_token.reveal()
        assert issued["headers"]["Authorization"] == f"Bearer {issued['access_token']}"
        assert issued["expires_at"] == made.credential.expires_at.isoformat()
        event = AuditEvent.objects.get(action="token.read_by_operator")
        assert (event.connection_id, event.actor) == (made.id, "command line")

    def test_rotate_keys(self, manage, acme):
        expected = {"rewrapped": 0, "new_data_keys": 1, "resealed": 0, "failed": 0, "failed_rows": []}
        assert manage("rotate_keys", "--data-keys", "--json").json == expected

    def test_people_get_lines(self, manage):
        done = manage("create_tenant", "acme", "--name", "Acme Oy")
        assert done.out == f"id    {Tenant.objects.get().id}\nslug  acme\n"


class TestSecrets:
    def stored(self) -> list[str]:
        return [
            secret.reveal()
            for secret in credentials.registration_value(ClientRegistration.objects.get()).client_secrets
        ]

    def test_from_stdin(self, manage):
        made = manage(*REGISTER, "--client-secret-file", "-", "--redirect-key", "chosen", stdin="påss word \n").json
        assert made == {
            "id": str(ClientRegistration.objects.get().id),
            "provider": people.PROVIDER,
            "environment": "production",
            "redirect_uri": "http://127.0.0.1:8000/cb/chosen",
        }
        assert self.stored() == ["påss word"]

    def test_from_a_file(self, manage, tmp_path):
        file = tmp_path / "secret"
        file.write_text("sécret\n", encoding="utf-8")
        assert manage(*REGISTER, "--client-secret-file", str(file)).code == 0
        assert self.stored() == ["sécret"]

    def test_replaced(self, manage):
        manage(*REGISTER, "--client-secret-file", "-", "--redirect-key", "chosen", stdin="old")
        assert manage("replace_secret", "chosen", "--client-secret-file", "-", "--json", stdin="new").json["replaced"]
        assert self.stored() == ["new"]

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (None, "--client-secret-file cannot be read: FileNotFoundError"),
            (b"\xff\xfe\x00", "--client-secret-file cannot be read: UnicodeDecodeError"),
            (b" \n", "--client-secret-file is empty"),
        ],
    )
    def test_what_cannot_be_a_secret_is_refused(self, manage, tmp_path, content, says):
        file = tmp_path / "secret"
        if content is not None:
            file.write_bytes(content)
        assert manage(*REGISTER, "--client-secret-file", str(file)).sentence == says
        assert not ClientRegistration.objects.exists()

    def test_one_that_is_given_as_an_argument_is_not_taken_and_not_shown(self, manage):
        done = manage(*REGISTER, "--client-secret", "hunter2-hunter2")
        assert done.code != 0
        assert "hunter2" not in done.out + done.err
        assert not ClientRegistration.objects.exists()

    @pytest.mark.parametrize("name", COMMANDS)
    def test_no_command_takes_one_as_an_argument(self, name):
        parser = ArgumentParser()
        load_command_class("broker", name).add_arguments(parser)
        options = {option for action in parser._actions for option in (*action.option_strings, action.dest)}
        tempting = {
            option for option in options if any(word in option for word in ("secret", "password", "token", "api_key"))
        }
        # One names a file, the other a day.
        assert tempting <= {"--client-secret-file", "client_secret_file", "--secret-expires-at", "secret_expires_at"}


CALLER = ("create_caller", "svc", "--json")
TRUST = ("trust_issuer", "cluster", "--issuer", ISSUER, "--audience", "broker")
REFUSALS = [
    (("create_tenant", "acme", "--name", "again"), "a tenant with the slug 'acme' exists already (invalid_request)"),
    (("create_tenant", "a b", "--name", "x"), "slug: "),
    (("create_tenant", "b", "--name", ""), "name: "),
    (("create_tenant", "b", "--name", "x", "--locale", "xx"), "locale must be one of en, fi"),
    (("create_tenant", "b", "--name", "x", "--return-url", "http://evil.example"), "a return URL must be"),
    (("create_tenant", "b", "--name", "x", "--return-url", "https://[x"), "a return URL must be"),
    (
        (*CALLER, "--tenant", "nobody", "--operation", "token.read"),
        "no tenant has the slug 'nobody' (tenant_not_found)",
    ),
    ((*CALLER, "--all-tenants", "--operation", "everything"), "operations must be among token.read"),
    ((*CALLER, "--all-tenants", "--operation", "token.read", "--expires-days", "9999"), "an API key lives for"),
    ((*CALLER, "--all-tenants", "--operation", "token.read", "--provider", "nobody"), "no catalogue file describes"),
    (("create_key", "nobody"), ""),
    (("revoke_key", "nothing"), ""),
    (
        (*CALLER, "--all-tenants", "--operation", "token.read", "--network", "10.1.1.1/8"),
        "'10.1.1.1/8' is not a network",
    ),
    ((*CALLER, "--all-tenants", "--operation", "token.read", "--rate-per-minute", "-1"), "rate_per_minute: "),
    (("change_caller", "nobody", "--stop"), "no caller is named 'nobody' (invalid_request)"),
    (("change_key", "nothing", "--any-network"), "no key in use has this id (invalid_request)"),
    (("add_workload", "nobody", "--issuer", "nowhere", "--subject", "s"), "no trusted issuer is named 'nowhere'"),
    ((*TRUST, "--algorithm", "HS256", "--jwks-uri", "https://i.example/k"), "algorithms must be among RS256"),
    ((*TRUST, "--jwks-uri", "http://169.254.169.254/k"), "jwks_uri is a plain https address"),
    ((*TRUST, "--jwks-file", "/nowhere"), "--jwks-file cannot be read: FileNotFoundError"),
    ((*TRUST, "--jwks-file", "-"), "jwks is not JSON"),
    (("distrust_issuer", "nowhere"), "no issuer that is trusted is named 'nowhere' (invalid_request)"),
    (("register_client", "nobody", "--environment", "x", "--client-id", "c"), "no catalogue file describes"),
    (("register_client", people.PROVIDER, "--environment", "moon", "--client-id", "c"), "environment must be one of"),
    ((*REGISTER, "--scope", "everything"), "unknown scope 'everything'"),
    ((*REGISTER, "--tenant", "nobody"), "no tenant has the slug 'nobody'"),
    (("import_connections", "/nowhere"), "the file cannot be read: FileNotFoundError"),
    (("replace_secret", "nobody", "--client-secret-file", "-"), ""),
    (("connect_link", "nobody", people.PROVIDER), "no tenant has the slug 'nobody' (tenant_not_found)"),
    (("connect_link", "acme", people.PROVIDER), "no client registration serves acme"),
    (("connect_link", "acme", people.PROVIDER, "--connection", "rubbish"), "'rubbish' is not an id of the form"),
    (("connect_link", "acme", people.PROVIDER, "--connection", str(uuid.UUID(int=1))), "There is no such connection"),
    (("issue_token", "rubbish"), "'rubbish' is not an id of the form"),
    (("issue_token", str(uuid.UUID(int=1))), "There is no such connection (connection_not_found)"),
    (("issue_token", str(uuid.UUID(int=1)), "--min-ttl", "-1"), "--min-ttl is from 0 to 900 seconds"),
    (("issue_token", str(uuid.UUID(int=1)), "--min-ttl", "901"), "--min-ttl is from 0 to 900 seconds"),
]


@pytest.mark.parametrize(
    ("arguments", "says"), REFUSALS, ids=lambda value: value[0] if isinstance(value, tuple) else ""
)
def test_bad_input_gets_a_plain_sentence_and_exit_code_1(manage, acme, arguments, says):
    before = AuditEvent.objects.count()
    assert manage(*arguments, stdin="a secret").sentence.startswith(says)
    assert AuditEvent.objects.count() == before


def test_a_connection_of_another_tenant_is_as_absent(manage, connect):
    made = connect()
    birch = manage("connect_link", "birch", people.PROVIDER, "--connection", str(made.id))
    absent = manage("connect_link", "birch", people.PROVIDER, "--connection", str(uuid.uuid4()))
    assert birch.sentence == absent.sentence


def test_a_dead_connection_says_whose_turn_it_is(manage, connect):
    made = connect()
    made.__class__.objects.filter(pk=made.pk).update(state="reauthorization_required", reason="grant_revoked")
    said = manage("issue_token", str(made.id), "--json").sentence
    assert said.startswith("the customer must connect again: The provider no longer accepts this connection.")


def test_a_broken_seal_is_a_sentence_too(manage, connect):
    made = connect()
    made.credential.__class__.objects.filter(pk=made.pk).update(sealed=b"rubbish")
    assert manage("issue_token", str(made.id)).sentence == "A stored credential cannot be opened (storage_fault)"


@pytest.mark.parametrize("arguments", [(), ("--frobnicate",), ("create_caller",), ("issue_token", "--min-ttl", "soon")])
def test_a_wrong_command_line_gets_the_usage(manage, arguments):
    done = manage("create_tenant", *arguments) if not arguments or arguments[0].startswith("-") else manage(*arguments)
    assert done.code == 2
    assert "usage: manage.py" in done.err
    assert "Traceback" not in done.err


def test_a_database_that_is_away_is_a_sentence_without_its_address(manage):
    def away(*_: object) -> None:
        raise OperationalError('connection to server at "db.internal", user "broker" failed')

    with connection.execute_wrapper(away):
        said = manage("create_tenant", "acme", "--name", "Acme Oy").sentence
    assert said == "the database does not serve this now (OperationalError): see DATABASE_URL"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_made_alike(name):
    command = load_command_class("broker", name)
    assert isinstance(command, JsonCommand)
    assert command.help.endswith(".") or command.help.endswith("once.")


def test_every_command_is_seen_to_refuse():
    """Some refuse in tests of their own: those of the catalogue, keys, escrow, the audit log, a tenant's end."""
    elsewhere = {"delete_tenant", "export_audit", "replay_escrow", "rotate_keys", "verify_audit", "verify_catalogue"}
    assert {arguments[0] for arguments, _ in REFUSALS} | elsewhere == set(COMMANDS)
