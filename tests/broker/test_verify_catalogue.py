"""The catalogue is held against what a server says of itself."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from broker.services import directory
from tests import local_catalogue


def verify() -> dict:
    out = StringIO()
    call_command("verify_catalogue", "--environment", "local", "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_catalogue_that_is_right_agrees(local_provider):
    assert verify() == {"visma-eaccounting local": "agrees"}


@pytest.mark.parametrize(
    ("ours", "wrong", "key"),
    [
        ('issuer = "{url}"', 'issuer = "{url}/"', "issuer"),
        ("{url}/connect/token", "{url}/connect/tokens", "token_endpoint"),
        ("{url}/connect/authorize", "{url}/authorize", "authorization_endpoint"),
    ],
)
def test_one_that_is_wrong_is_named(local_provider, settings, tmp_path, monkeypatch, ours, wrong, key):
    assert ours in local_catalogue.TEMPLATE
    monkeypatch.setattr(local_catalogue, "TEMPLATE", local_catalogue.TEMPLATE.replace(ours, wrong))
    settings.CATALOGUE_DIRECTORY = str(local_catalogue.write(tmp_path / "wrong", local_provider.url))
    directory.registry.cache_clear()
    with pytest.raises(CommandError, match=f"{key}: the catalogue says"):
        verify()


def test_a_server_that_does_not_answer_is_said_to_be_so(local_provider, settings, tmp_path):
    settings.CATALOGUE_DIRECTORY = str(local_catalogue.write(tmp_path / "away", "http://127.0.0.1:9"))
    directory.registry.cache_clear()
    with pytest.raises(CommandError, match="cannot be asked"):
        verify()
