"""Rotating keys: everything still opens, and what does not is named and stops nobody."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from broker.services import credentials
from tenants.models import ClientRegistration, Connection, Credential, CredentialOrphan, DataKey
from tests.broker.services.sealed_world import (
    UNDER_RETIRED,
    V1,
    V2,
    contents,
    rotate,
    tokens,
    under_retired_keys,
    versions,
)

pytestmark = pytest.mark.django_db(transaction=True)


class TestKeyEncryptionKeys:
    def test_data_keys_move_to_the_newest_and_the_old_one_may_go(self, world, use_keyring):
        use_keyring(V1, V2)
        assert rotate() == {"rewrapped": 4, "new_data_keys": 0, "resealed": 0, "failed": 0, "failed_rows": []}
        assert versions() == {"v2"}
        use_keyring(V2)
        assert contents() == world

    def test_run_again_it_changes_nothing(self, world, use_keyring):
        use_keyring(V1, V2)
        rotate()
        before = dict(DataKey.objects.values_list("pk", "wrapped"))
        assert rotate()["rewrapped"] == 0
        assert dict(DataKey.objects.values_list("pk", "wrapped")) == before

    def test_with_one_key_there_is_nothing_to_do(self, world):
        assert rotate()["rewrapped"] == 0
        assert versions() == {"v1"}

    def test_retired_data_keys_move_too(self, world, use_keyring):
        rotate("--data-keys")
        use_keyring(V1, V2)
        assert rotate()["rewrapped"] == 8
        assert versions() == {"v2"}

    def test_a_data_key_whose_version_is_gone_is_named_and_the_others_move(self, world, use_keyring):
        gone = DataKey.objects.get(tenant__slug="two")
        DataKey.objects.filter(pk=gone.pk).update(kek_version="v0")
        use_keyring(V1, V2)
        with pytest.raises(CommandError, match=f"1 rows could not be opened.*datakey {gone.pk}"):
            rotate()
        assert versions() == {"v0", "v2"}


class TestDataKeys:
    def test_every_tenant_and_the_platform_get_a_new_one_and_all_is_sealed_again(self, world):
        assert rotate("--data-keys") == {
            "rewrapped": 0,
            "new_data_keys": 4,
            "resealed": 2 + 6 + 6,
            "failed": 0,
            "failed_rows": [],
        }
        assert contents() == world
        assert under_retired_keys() == 0
        assert DataKey.objects.filter(active=True).count() == 4
        assert DataKey.objects.filter(active=False, retired_at=None).count() == 0

    def test_the_old_data_keys_are_needed_for_nothing_more(self, world):
        rotate("--data-keys")
        DataKey.objects.filter(active=False).delete()
        assert contents() == world

    def test_only_what_lies_under_a_retired_key_is_touched(self, world):
        DataKey.objects.filter(tenant__slug="two").update(active=False)
        before = dict(Credential.objects.exclude(connection__tenant__slug="two").values_list("pk", "sealed"))
        assert rotate()["resealed"] == 4
        after = dict(Credential.objects.exclude(connection__tenant__slug="two").values_list("pk", "sealed"))
        assert after == before
        assert contents() == world

    def test_a_previous_version_under_a_retired_key_is_sealed_again_by_itself(self, world):
        made = Connection.objects.first()
        rotate("--data-keys")
        old = DataKey.objects.filter(tenant_id=made.tenant_id, active=True).get()
        DataKey.objects.filter(pk=old.pk).update(active=False)
        credentials.store(made, 3, tokens("newer"), 3600)
        DataKey.objects.filter(active=False).exclude(pk=old.pk).delete()
        rotate()
        assert under_retired_keys() == 0
        assert contents()[f"credential {made.pk}"] == ("access-newer", "refresh-newer")

    def test_orphans_that_were_shredded_are_left(self, world):
        CredentialOrphan.objects.update(sealed=b"", outcome="revoked")
        assert rotate("--data-keys")["resealed"] == 2 + 6


def flipped(sealed: bytes) -> bytes:
    """The value with one bit of its tag changed: never by chance the same."""
    return bytes(sealed)[:-1] + bytes([sealed[-1] ^ 1])


class TestBrokenRows:
    @pytest.fixture
    def broken(self, world: dict[str, object]) -> list[str]:
        """A row of each kind that does not open."""
        stored, orphan = Credential.objects.order_by("pk")[0], CredentialOrphan.objects.order_by("pk")[0]
        own = ClientRegistration.objects.get(client_id="own")
        Credential.objects.filter(pk=stored.pk).update(sealed=flipped(stored.sealed))
        CredentialOrphan.objects.filter(pk=orphan.pk).update(sealed=b"rubbish")
        other = Credential.objects.order_by("pk")[1].sealed
        ClientRegistration.objects.filter(pk=own.pk).update(sealed_secrets=other)
        return sorted([f"credential {stored.pk}", f"credentialorphan {orphan.pk}", f"clientregistration {own.pk}"])

    def test_they_are_named_left_as_they_were_and_stop_nobody(self, broken, capsys, caplog):
        before = {row.pk: bytes(row.sealed) for row in Credential.objects.all()}
        with pytest.raises(CommandError, match="3 rows could not be opened and are as they were"):
            call_command("rotate_keys", "--json", "--data-keys")
        said = json.loads(capsys.readouterr().out)
        assert (said["resealed"], said["failed"], said["failed_rows"]) == (14 - 3, 3, broken)
        left = {f"credential {row.pk}": row for row in Credential.objects.filter(UNDER_RETIRED)}
        assert set(left) == set(broken) & set(left)
        assert len(left) == 1
        assert all(bytes(row.sealed) == before[row.pk] for row in left.values())
        assert {record.reason for record in caplog.records} == set(broken)
        assert "rubbish" not in caplog.text

    def test_they_are_named_again_until_they_are_repaired(self, broken):
        for options in (["--data-keys"], []):
            with pytest.raises(CommandError, match="3 rows"):
                rotate(*options)
        Credential.objects.filter(UNDER_RETIRED).delete()
        with pytest.raises(CommandError, match="2 rows"):
            rotate()

    def test_a_broken_previous_version_keeps_the_row_as_it_was(self, world):
        stored = Credential.objects.order_by("pk")[0]
        Credential.objects.filter(pk=stored.pk).update(previous_sealed=b"rubbish")
        with pytest.raises(CommandError, match=f"1 rows.*credential {stored.pk}"):
            call_command("rotate_keys", "--json", "--data-keys", stdout=StringIO())
        row = Credential.objects.select_related("data_key").get(pk=stored.pk)
        assert bytes(row.sealed) == bytes(stored.sealed)
        assert credentials.open_current(row, row.connection.tenant_id)
