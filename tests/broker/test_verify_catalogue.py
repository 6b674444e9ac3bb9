"""The catalogue is held against what a server says of itself."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from broker.services import directory
from tests import local_catalogue

FILE = "visma-eaccounting-local.toml"


def verify(*options: str) -> dict:
    out = StringIO()
    call_command("verify_catalogue", "--environment", "local", "--json", *options, stdout=out)
    return json.loads(out.getvalue())


def test_a_catalogue_that_is_right_agrees(local_provider):
    said = verify()
    assert said["visma-eaccounting local"] == "agrees"
    assert set(said.values()) <= {"agrees", "publishes nothing"}


def test_one_provider_alone(local_provider):
    assert verify("--provider", "visma-eaccounting") == {"visma-eaccounting local": "agrees"}


def test_providers_without_authorization_server_have_nothing_to_compare(local_provider):
    assert "netvisor local" not in verify()
    with pytest.raises(CommandError, match=r"netvisor has no authorizes; it has .*\(unsupported_operation\)"):
        verify("--provider", "netvisor")


@pytest.mark.parametrize(
    ("ours", "wrong", "key"),
    [
        ('issuer = "{url}"', 'issuer = "{url}/"', "issuer"),
        ("{url}/connect/token", "{url}/connect/tokens", "token_endpoint"),
        ("{url}/connect/authorize", "{url}/authorize", "authorization_endpoint"),
    ],
)
def test_one_that_is_wrong_is_named(local_provider, settings, tmp_path, ours, wrong, key):
    folder = local_catalogue.write(tmp_path / "wrong", local_provider.url)
    right = (folder / FILE).read_text()
    assert ours.format(url=local_provider.url) in right
    (folder / FILE).write_text(right.replace(*(text.format(url=local_provider.url) for text in (ours, wrong))))
    settings.CATALOGUE_DIRECTORY = str(folder)
    directory.registry.cache_clear()
    with pytest.raises(CommandError, match=f"{key}: the catalogue says"):
        verify()


def test_a_server_that_does_not_answer_is_said_to_be_so(local_provider, settings, tmp_path):
    settings.CATALOGUE_DIRECTORY = str(local_catalogue.write(tmp_path / "away", "http://127.0.0.1:9"))
    directory.registry.cache_clear()
    with pytest.raises(CommandError, match="cannot be asked"):
        verify("--provider", "visma-eaccounting")
