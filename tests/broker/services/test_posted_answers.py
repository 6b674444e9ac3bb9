"""An answer that the provider's page posts: no cookie comes with it, so it waits, sealed, for the browser to ask."""

import uuid

import pytest

from broker.errors import AuthorizationResponseRefused
from broker.services import authorize, credentials
from tenants.models import AuthorizationRequest, Connection
from tests import flows, people
from tests.broker.services import signed_in
from tests.broker.services.signed_in import ERP, link, run, sign_in, visma_connect
from tests.house.canaries import dump
from tests.together import together


@pytest.fixture
def erp(settled, local_provider):
    return visma_connect(local_provider)


@pytest.fixture
def started(settled, erp):
    return authorize.begin(link(settled.aalto, ERP), ERP)


def mine(started):
    return lambda _flow_id: started.browser_secret


def exchanges(local_provider):
    return len(local_provider.log(endpoint="visma-connect.token"))


def test_it_connects_the_company_that_was_signed_in_to(settled, erp):
    flow = run(link(settled.aalto, ERP))
    assert (flow.outcome, flow.status) == ("connected", "consumed")
    connection = Connection.objects.get(pk=flow.session.connection_id)
    assert (connection.external_subject, connection.state) == (signed_in.ACME, "connected")
    held = credentials.open_current(connection.credential, connection.tenant_id)
    assert held.refresh_token is not None


def test_taking_it_exchanges_nothing_and_leaves_no_code_readable(started, local_provider):
    redirect_key, answer = sign_in(started)
    assert authorize.take_posted(redirect_key, answer) == started.flow_id
    assert exchanges(local_provider) == 0
    code = dict(answer)["code"].encode()
    assert not [value for value in dump() if code in value]
    flow = authorize.complete_posted(redirect_key, started.flow_id, mine(started))
    assert (flow.outcome, flow.sealed_response) == ("connected", None)
    assert AuthorizationRequest.objects.get().sealed_response is None


def test_only_the_first_post_counts(started, local_provider):
    redirect_key, answer = sign_in(started)
    authorize.take_posted(redirect_key, answer)
    state = dict(answer)["state"]
    assert authorize.take_posted(redirect_key, [("state", state), ("error", "access_denied")]) == started.flow_id
    assert authorize.complete_posted(redirect_key, started.flow_id, mine(started)).outcome == "connected"


def test_loading_the_page_again_shows_what_happened(started, local_provider):
    redirect_key, answer = sign_in(started)
    authorize.take_posted(redirect_key, answer)
    for _ in range(2):
        assert authorize.complete_posted(redirect_key, started.flow_id, mine(started)).outcome == "connected"
    assert authorize.take_posted(redirect_key, answer) == started.flow_id
    assert exchanges(local_provider) == 1


def test_of_two_who_ask_at_once_one_exchanges(started, local_provider):
    redirect_key, answer = sign_in(started)
    authorize.take_posted(redirect_key, answer)
    together(*[lambda: authorize.complete_posted(redirect_key, started.flow_id, mine(started))] * 3)
    assert (exchanges(local_provider), Connection.objects.count()) == (1, 1)


def test_another_browser_gets_nothing(started, local_provider):
    redirect_key, answer = sign_in(started)
    authorize.take_posted(redirect_key, answer)
    for secret in (None, "another"):
        with pytest.raises(AuthorizationResponseRefused):
            authorize.complete_posted(redirect_key, started.flow_id, lambda _, secret=secret: secret)
    assert exchanges(local_provider) == 0
    assert authorize.complete_posted(redirect_key, started.flow_id, mine(started)).outcome == "connected"


def test_nothing_was_posted_yet(started):
    with pytest.raises(AuthorizationResponseRefused, match="not answered"):
        authorize.complete_posted(f"key-{ERP}", started.flow_id, mine(started))


def test_an_answer_has_to_come_the_way_it_was_asked_for(started, settled, local_provider):
    redirect_key, answer = sign_in(started)
    with pytest.raises(AuthorizationResponseRefused, match="way"):
        authorize.complete(redirect_key, answer, mine(started))
    other = authorize.begin(link(settled.aalto, people.PROVIDER), people.PROVIDER)
    state = dict(flows.parse_qsl(flows.urlsplit(other.url).query))["state"]
    with pytest.raises(AuthorizationResponseRefused, match="way"):
        authorize.take_posted(settled.registration.redirect_key, [("state", state), ("code", "x")])
    assert exchanges(local_provider) == 0


@pytest.mark.parametrize(
    ("address", "flow_id"), [("visma-eaccounting", None), ("nobody", None), (f"key-{ERP}", uuid.UUID(int=1))]
)
def test_another_registrations_address_is_not_this_ones(started, address, flow_id):
    redirect_key, answer = sign_in(started)
    authorize.take_posted(redirect_key, answer)
    with pytest.raises(AuthorizationResponseRefused):
        authorize.complete_posted(address, flow_id or started.flow_id, mine(started))


def test_a_thousand_malformed_ones_exchange_nothing(started, local_provider):
    _, answer = sign_in(started)
    state = ("state", dict(answer)["state"])
    odd = [
        [],
        [("state", "")],
        [("state", "unknown")],
        [("state", "x" * 2000)],
        [state, state],
        [("state", "\ud800")],
        [state, ("code", "x" * 20_000)],
        [("code", "\x00")],
        [("state", "\u0000")],
        [("state", "' OR 1=1"), ("code", "x")],
    ]
    refused = 0
    for number in range(1000):
        try:
            authorize.take_posted(f"key-{ERP}", odd[number % len(odd)])
        except AuthorizationResponseRefused:
            refused += 1
    assert (refused, exchanges(local_provider)) == (1000, 0)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ([("error", "access_denied")], "access_denied"),
        ([("code", "x")], "iss_missing"),
        ([("code", "x"), ("iss", "https://evil.example")], "iss_mismatch"),
        ([("code", "x"), ("code", "y")], "parameter_repeated"),
        ([("code", "x"), ("error", "y")], "code_and_error"),
    ],
)
def test_what_is_in_it_is_judged_when_the_browser_asks(started, local_provider, answer, outcome):
    redirect_key, real = sign_in(started)
    state = ("state", dict(real)["state"])
    iss = [] if "iss" in outcome else [("iss", dict(real)["iss"])]
    authorize.take_posted(redirect_key, [state, *iss, *answer])
    assert authorize.complete_posted(redirect_key, started.flow_id, mine(started)).outcome == outcome
    assert exchanges(local_provider) == 0


def test_a_user_without_the_api_role_is_told_what_the_provider_said(settled, erp, local_provider):
    local_provider.system("visma-connect").change("tenants", signed_in.ACME, api_role=False)
    flow = run(link(settled.aalto, ERP))
    assert flow.outcome == "invalid_tenant"
    assert not Connection.objects.exists()


def test_an_answer_that_cannot_be_opened_ends_the_attempt(started):
    redirect_key, answer = sign_in(started)
    authorize.take_posted(redirect_key, answer)
    AuthorizationRequest.objects.update(sealed_response=b"\x01broken")
    assert authorize.complete_posted(redirect_key, started.flow_id, mine(started)).outcome == "interrupted"
