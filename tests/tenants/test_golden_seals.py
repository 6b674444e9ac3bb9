"""Values sealed long ago still open: a change of format, context or derivation is noticed here, not by customers."""

import base64
import json
from pathlib import Path
from uuid import UUID

import pytest

from tenants import keyring
from tenants.vault import SealContext, Vault, WrappedKey

GOLDEN = json.loads((Path(__file__).parents[1] / "vectors" / "seals.json").read_text(encoding="utf-8"))
VAULT = Vault(keyring.parse(GOLDEN["keyring"]), GOLDEN["environment"])


def tenant(entry: dict[str, str | None]) -> UUID | None:
    return UUID(entry["tenant_id"]) if entry["tenant_id"] else None


KEYS = {
    entry["id"]: WrappedKey(
        id=UUID(entry["id"]),
        tenant_id=tenant(entry),
        kek_version=entry["kek_version"],
        wrapped=base64.b64decode(entry["wrapped"]),
    )
    for entry in GOLDEN["keys"]
}


@pytest.mark.parametrize("entry", GOLDEN["values"], ids=lambda entry: f"{entry['field']}-{entry['fence']}")
def test_a_golden_value_still_opens(entry):
    context = SealContext(
        tenant_id=tenant(entry), row_id=UUID(entry["row_id"]), field=entry["field"], fence=entry["fence"]
    )
    plaintext = base64.b64decode(entry["plaintext"])
    sealed = base64.b64decode(entry["sealed"])
    assert VAULT.open(KEYS[entry["key_id"]], context, sealed) == plaintext
    assert VAULT.fingerprint(KEYS[entry["key_id"]], plaintext) == base64.b64decode(entry["fingerprint"])


@pytest.mark.parametrize("entry", GOLDEN["values"], ids=lambda entry: f"{entry['field']}-{entry['fence']}")
def test_what_is_sealed_now_has_the_golden_form(entry):
    key, plaintext = KEYS[entry["key_id"]], base64.b64decode(entry["plaintext"])
    context = SealContext(
        tenant_id=tenant(entry), row_id=UUID(entry["row_id"]), field=entry["field"], fence=entry["fence"]
    )
    fresh, golden = VAULT.seal(key, context, plaintext), base64.b64decode(entry["sealed"])
    assert (fresh[:17], len(fresh)) == (golden[:17], len(golden))
    assert golden[0] == 1


def test_there_is_a_value_of_a_tenant_and_one_of_the_platform():
    assert {entry["tenant_id"] is None for entry in GOLDEN["values"]} == {True, False}
