"""A whole life of a connection, with every secret in it as a canary: none gets anywhere but where it belongs."""

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.apps import apps

from broker.services import authorize, callers, counts, credentials, feedback, issue, sessions
from tenants.models import Connection, RenewalSlot
from tenants.querysets import hand_out
from tests import people
from tests.fakes.sandbox import CLIENT_SECRET, SandboxProcess
from tests.house import surfaces
from tests.house.canaries import Canaries, LogOfEverything, dump, forms, listening
from tests.house.lives import Life

CHANGED_PASSWORD = "another-password"


@pytest.fixture
def log() -> Iterator[LogOfEverything]:
    with listening() as heard:
        yield heard


@pytest.fixture
def life(
    log: LogOfEverything, settled: people.People, local_provider: SandboxProcess, tmp_path: Path
) -> Iterator[Life]:
    """Connect, renew by the queue and by the API, meet every surface, fail in several ways, die, be repaired, end."""
    lived = Life(settled, local_provider, log)
    for _ in lived.queued():
        pass  # what an earlier test left
    wanted = {"tenant": "aalto", "providers": [people.PROVIDER], "return_url": people.RETURN_URL}
    row = lived.walk("first", lived.call("POST", "/v1/connect-sessions", wanted)["url"])
    lived.renew_by_the_queue(row)
    lived.note_tokens("renewed by the queue")
    fail(lived, row)
    token = lived.call("GET", f"/v1/connections/{row.id}/token")
    report = {"status": 401, "version": token["version"]}
    assert lived.call("POST", f"/v1/connections/{row.id}/feedback", report)["verdict"] == "renewed"
    row = lived.note_tokens("renewed by feedback")
    show_values(lived, row)
    surfaces.use_all(lived, row, tmp_path)
    local_provider.change_password(password=CHANGED_PASSWORD)
    # As if a minute had passed: sooner, a 401 with a token that a 401 has led to is not about the token.
    RenewalSlot.objects.filter(pk=row.pk).update(forced_at=None)
    report = {"status": 401, "version": row.credential.version}
    dead = lived.call("POST", f"/v1/connections/{row.id}/feedback", report)
    assert dead["verdict"] == "confirmed_dead"
    row.refresh_from_db()
    lived.show(feedback.report(row, feedback.Report(**report), actor=people.STAFF))
    lived.walk("repair", dead["connect_url"], password=CHANGED_PASSWORD)
    lived.call("GET", f"/v1/connections/{row.id}")
    assert lived.call("DELETE", f"/v1/connections/{row.id}")["revoked_at_provider"] is True
    yield lived
    counts.reads.flush()


def fail(lived: Life, row: Connection) -> None:
    """Renewals that fail in ways that tempt code to write down what it saw."""
    sent = lived.canaries.secrets["renewed by the queue: refresh token"]
    for kind, fields in {
        "html": {},
        "invalid_client": {},
        "error": {"status": 400, "error": "invalid_request", "error_description": f"cannot use {sent}"},
        "drop_before": {},
    }.items():
        lived.provider.fault("token", kind, **fields)
        lived.renew_by_the_queue(row)
    lived.provider.clear_faults()


def show_values(lived: Life, row: Connection) -> None:
    """The services' own values, and what they raise, as a debugger or an error report would print them."""
    presented = callers.parse(f"Bearer {lived.settled.aalto_key}")
    link = sessions.create(lived.settled.aalto, [people.PROVIDER], actor=people.STAFF)
    lived.canaries.add("shown link", link.url.rsplit("/", 1)[-1])
    lived.show(presented, callers.authenticate(presented), link, link.session, credentials.vault())
    started = authorize.begin(link.session, people.PROVIDER)
    lived.canaries.add("shown browser secret", started.browser_secret)
    lived.canaries.add("shown state", parse_qs(urlsplit(started.url).query)["state"][0])
    lived.show(started, issue.issue_to_operator(row.pk, min_ttl=1, actor=people.STAFF))
    lived.show(hand_out.for_headers(presented.key_id, hand_out.Named(row.pk)))
    for model in apps.get_app_config("tenants").get_models():
        lived.show(*model._default_manager.all())


@pytest.mark.django_db(transaction=True)
def test_no_secret_leaves(life, log, capfd):
    canaries = life.canaries
    assert len(canaries.secrets) >= 24, canaries.secrets.keys()
    written = capfd.readouterr()
    places = {
        "log lines": log.lines,
        "unmasked log messages": log.messages,
        "output": [written.out, written.err],
        "database": dump(),
        "queue": life.messages,
        "shown values": life.shown,
    }
    assert all(places[name] for name in places if name != "output")
    assert {name: found for name, hay in places.items() if (found := canaries.found_in(hay))} == {}


@pytest.mark.parametrize("secret", ["a-secret_of~ordinary.length", CLIENT_SECRET])
def test_a_canary_is_found_in_every_disguise(secret):
    canaries = Canaries({"it": secret})
    assert all(canaries.found_in([b"before " + form + b" after"]) == ["it"] for form in forms(secret))
    assert canaries.found_in(["nothing here"]) == []


def test_a_canary_is_found_inside_basic_authentication():
    canaries = Canaries({"it": "a-secret_of~ordinary.length"})
    for client_id in ("a", "ab", "abc", "abcd"):
        text = base64.b64encode(f"{client_id}:{canaries.secrets['it']}:x".encode())
        assert canaries.found_in([text]) == ["it"]
