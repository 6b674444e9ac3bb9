"""A good credential of a company that its provider has not verified yet: kept, and said to be so; not an error."""

import json

import pytest

from broker.services import credentials, directory, entering, probing
from broker.services.entering import EntryRefused
from tenants.models import Connection
from tests.broker.services.typed_in import enter, link, registered
from tests.providers.peer import Peer, answer

DEFINITION = """
id = "kennel"
display_name = "Kennel"
documentation = "https://kennel.example/docs"
verified_on = 2026-11-21
grant_types_supported = []
token_endpoint_auth_methods_supported = ["client_secret_post"]
{way}
[environments.local]
token_endpoint = "{url}/token"
api_base_url = "{url}/api"
[[entered_fields]]
name = "company"
label = "Company"
[external_account]
endpoint = "{{api_base_url}}/self"
{account}
[[refusals]]
error = "not_verified"
means = "account_unverified"
text = "Kennel has not verified your company yet."
[api_errors]
code_path = "code"
"""
MINTING = """
[minting.parameters]
grant_type = "client_credentials"
client_id = "{company}"
"""
STATIC = """
api_authorization = "none"
[api_headers]
X-Company = "{company}"
"""
BY_ENTERED, BY_ANSWER = 'entered_subject = "company"', 'subject_path = "id"'
VERIFIED = answer("200 OK", b'{"id": "acme"}', "Content-Type: application/json")
WAITING = answer("403 Forbidden", b'{"code": "not_verified"}', "Content-Type: application/json")


class Kennel:
    """Gives tokens, and says of the company what the test wants."""

    def __init__(self) -> None:
        self.says = WAITING

    def __call__(self, connection, peer):
        request = peer.read_request(connection)
        token = json.dumps({"access_token": "bone-1", "token_type": "Bearer", "expires_in": 3600}).encode()
        given = answer("200 OK", token, "Content-Type: application/json") if b" /token" in request else self.says
        connection.sendall(given)


@pytest.fixture
def kennel(settled, tmp_path, settings):
    with Peer(says := Kennel()) as peer:
        peer.says = says

        def describe(way=MINTING, account=BY_ENTERED):
            folder = tmp_path / "kennel"
            folder.mkdir(exist_ok=True)
            (folder / "kennel.toml").write_text(DEFINITION.format(url=peer.url, way=way, account=account))
            settings.CATALOGUE_DIRECTORY = str(folder)
            directory.registry.cache_clear()
            registered("kennel", "aalto", "s" * 32)
            return peer

        yield describe


@pytest.mark.parametrize("way", [MINTING, STATIC], ids=["minting", "static"])
def test_it_is_stored_degraded_and_heals(settled, kennel, way):
    peer = kennel(way)
    connection = enter(settled.aalto, "kennel", {"company": "acme"})
    assert (connection.state, connection.reason) == ("degraded", "account_unverified")
    assert connection.external_subject == "acme"
    held = credentials.open_current(connection.credential, connection.tenant_id)
    entered = held.entered if way is MINTING else held
    assert entered.fields["company"].reveal() == "acme"
    peer.says.says = VERIFIED
    probing.look_again(connection.pk)
    connection.refresh_from_db()
    assert (connection.state, connection.reason) == ("connected", "")


def test_the_form_heals_it_as_well(settled, kennel):
    peer = kennel()
    connection = enter(settled.aalto, "kennel", {"company": "acme"})
    peer.says.says = VERIFIED
    assert enter(settled.aalto, "kennel", {"company": "acme"}, repair=connection).state == "connected"


def test_without_knowing_whose_it_is_nothing_is_kept(settled, kennel):
    kennel(account=BY_ANSWER)
    with pytest.raises(EntryRefused) as caught:
        entering.enter(link(settled.aalto, "kennel"), "kennel", {"company": "acme"})
    assert (caught.value.code, Connection.objects.exists()) == ("account_unverified", False)
    assert caught.value.explanation == "Kennel has not verified your company yet."
