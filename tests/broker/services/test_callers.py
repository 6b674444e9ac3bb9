"""Keys: one more, and one less, while the service goes on."""

import json
import re
import zlib
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from broker.errors import Unauthenticated
from broker.services import callers, renew
from broker.services.renewal_attempt import Outcome
from tenants.models import AuditEvent
from tests.fakes.sandbox import CLIENT_SECRET
from tests.house import papers


def run(*words: str) -> dict:
    out = StringIO()
    call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_secret_scanner_finds_every_key_by_the_form_that_is_documented(settled):
    form = re.search(r"`(brk_\[[^`]+)`", papers.read("docs/api.md"))[1]
    for key in (settled.aalto_key, settled.birch_key, run("create_key", "aalto-service")["api_key"]):
        text = f'API_KEY = "{key}"; # in a commit'
        assert re.findall(form, text) == [key]
        body, _, checksum = key.rpartition("_")
        assert f"{zlib.crc32(body.encode()):08x}" == checksum
        # One character that was changed or made up is no key.
        assert callers.parse(f"Bearer {key}")
        with pytest.raises(Unauthenticated):
            callers.parse(f"Bearer {body[:-1]}{'a' if body[-1] != 'a' else 'b'}_{checksum}")


def status(client, key: str) -> int:
    return client.get("/v1/connections", headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_second_key_works_beside_the_first_until_that_is_revoked(settled, client):
    made = run("create_key", "aalto-service")
    assert status(client, made["api_key"]) == status(client, settled.aalto_key) == 200
    old = settled.aalto_key.split("_")[2]
    assert run("revoke_key", old) == {"key_id": old, "revoked": True}
    assert status(client, settled.aalto_key) == 401
    assert status(client, made["api_key"]) == 200
    assert AuditEvent.objects.filter(action="caller.key_revoked", detail__key_id=old).count() == 1


@pytest.mark.parametrize(
    "words",
    [("revoke_key", "nonsense"), ("create_key", "nobody"), ("create_key", "aalto-service", "--expires-days", "999")],
)
def test_what_does_not_exist_is_said_plainly(settled, words):
    with pytest.raises(CommandError, match="invalid_request"):
        run(*words)


def test_a_new_client_secret_is_used_by_the_next_renewal(connect, local_provider, tmp_path):
    connection = connect()
    local_provider.update_client(client_secret="the new one")
    assert renew.renew_now(connection.id) is Outcome.CLIENT_REJECTED
    file = tmp_path / "secret"
    file.write_text("the new one\n")
    assert run("replace_secret", "visma-eaccounting", "--client-secret-file", str(file))["replaced"]
    assert renew.renew_now(connection.id) is Outcome.RENEWED
    file.write_text(CLIENT_SECRET)
    with pytest.raises(CommandError, match="invalid_request"):
        run("replace_secret", "no-such-key", "--client-secret-file", str(file))
