"""Writing a credential version: the current one becomes the previous one, in the same statement."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from tenants.models import Credential
from tenants.models.credential import credential_context
from tenants.querysets import credentials
from tenants.querysets.rows import database_now
from tenants.vault import SealBroken
from tests.tenants.rows import VAULT, new_connection, new_data_key

pytestmark = pytest.mark.django_db


def store(connection, version, sealed=b"", *, key=None, life=3600.0, fingerprint=b"f"):
    credentials.store(
        connection.id,
        version=version,
        sealed=sealed or b"sealed %d" % version,
        data_key_id=(key or connection.registration.data_key).id,
        refresh_fingerprint=fingerprint,
        life_seconds=life,
    )
    return Credential.objects.get(pk=connection.pk)


def test_the_first_version_has_no_previous_one():
    row = store(new_connection(), 3)
    assert (row.version, bytes(row.sealed), bytes(row.refresh_fingerprint)) == (3, b"sealed 3", b"f")
    assert (row.previous_version, row.previous_sealed, row.previous_data_key) == (None, None, None)


def test_the_next_version_keeps_the_one_before_with_its_key():
    connection = new_connection()
    old_key = connection.registration.data_key
    store(connection, 3)
    old_key.__class__.objects.filter(pk=old_key.pk).update(active=False)
    new_key = new_data_key(connection.tenant)
    row = store(connection, 4, key=new_key, fingerprint=None)
    assert (row.version, bytes(row.sealed), row.data_key_id) == (4, b"sealed 4", new_key.id)
    assert (row.previous_version, bytes(row.previous_sealed)) == (3, b"sealed 3")
    assert row.previous_data_key_id == old_key.id
    assert row.refresh_fingerprint is None
    third = store(connection, 5, key=new_key)
    assert (third.previous_version, bytes(third.previous_sealed)) == (4, b"sealed 4")
    assert Credential.objects.count() == 1


def test_the_database_clock_dates_it():
    connection, before = new_connection(), database_now()
    row = store(connection, 1, life=90.5)
    assert row.issued_at >= before
    assert row.expires_at - row.issued_at == timedelta(seconds=90.5)
    again = store(connection, 2, life=10.0)
    assert again.expires_at - again.issued_at == timedelta(seconds=10)


def test_a_token_that_never_ends_has_no_end():
    connection = new_connection()
    store(connection, 1)
    assert store(connection, 2, life=None).expires_at is None


def test_it_is_written_for_one_connection():
    first, second = new_connection(), new_connection()
    store(first, 1)
    store(second, 9)
    store(first, 2)
    assert Credential.objects.get(pk=second.pk).version == 9


def test_it_needs_a_data_key():
    connection = new_connection()
    with pytest.raises(IntegrityError), transaction.atomic():
        credentials.store(
            connection.id,
            version=1,
            sealed=b"x",
            data_key_id=connection.id,
            refresh_fingerprint=None,
            life_seconds=1,
        )
        transaction.get_connection().check_constraints()


def test_each_version_is_a_place_of_its_own():
    """Both blobs of a row: neither opens as the other's version, nor in another connection or tenant."""
    ours, theirs = new_connection(), new_connection()
    key = ours.registration.data_key.as_wrapped()
    sealed = {
        version: VAULT.seal(key, credential_context(ours.tenant_id, ours.id, version), b"s") for version in (1, 2)
    }
    store(ours, 1, sealed[1])
    row = store(ours, 2, sealed[2])
    assert VAULT.open(key, credential_context(ours.tenant_id, ours.id, row.version), row.sealed) == b"s"
    previous = credential_context(ours.tenant_id, ours.id, row.previous_version)
    assert VAULT.open(key, previous, row.previous_sealed) == b"s"
    for place, blob in (
        (credential_context(ours.tenant_id, ours.id, 1), row.sealed),
        (credential_context(ours.tenant_id, ours.id, 2), row.previous_sealed),
        (credential_context(ours.tenant_id, theirs.id, 2), row.sealed),
        (credential_context(theirs.tenant_id, ours.id, 2), row.sealed),
    ):
        with pytest.raises(SealBroken):
            VAULT.open(key, place, blob)
