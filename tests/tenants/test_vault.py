"""Seals: what was sealed opens in its own place and nowhere else, and no changed bit goes unnoticed."""

import base64
import dataclasses
import os
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants import keyring, vault
from tenants.errors import KeyUnavailable, SealBroken
from tenants.vault import SealContext, Vault, WrappedKey

KEYRING = keyring.parse(f"v1:{base64.b64encode(os.urandom(32)).decode()}")
TENANT, ROW = uuid4(), uuid4()
PLACE = SealContext(tenant_id=TENANT, row_id=ROW, field="credential", fence=7)
SECRET = b"access and refresh token"
VAULT = Vault(KEYRING, "production")
KEY = VAULT.new_data_key(uuid4(), TENANT)
SEALED = VAULT.seal(KEY, PLACE, SECRET)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@given(st.binary(max_size=4096))
def test_what_was_sealed_opens(plaintext: bytes):
    sealed = VAULT.seal(KEY, PLACE, plaintext)
    assert VAULT.open(KEY, PLACE, sealed) == plaintext
    assert len(sealed) == 77 + len(plaintext) + 16


def test_what_the_database_driver_returns_opens():
    assert VAULT.open(KEY, PLACE, memoryview(SEALED)) == SECRET


def test_sealing_twice_gives_two_records_under_two_keys():
    salts = {VAULT.seal(KEY, PLACE, SECRET)[17:33] for _ in range(100)}
    nonces = {VAULT.seal(KEY, PLACE, SECRET)[65:77] for _ in range(100)}
    assert (len(salts), len(nonces)) == (100, 100)


def opens(key: WrappedKey, sealed: bytes) -> bool:
    try:
        VAULT.open(key, PLACE, sealed)
    except SealBroken:
        return False
    return True


def test_every_flipped_bit_of_a_record_is_noticed():
    assert opens(KEY, SEALED)
    assert [bit for bit in range(len(SEALED) * 8) if opens(KEY, flipped(SEALED, bit))] == []


def test_every_flipped_bit_of_a_wrapped_key_is_noticed_even_while_the_true_one_is_cached():
    assert opens(KEY, SEALED)
    changed = [dataclasses.replace(KEY, wrapped=flipped(KEY.wrapped, bit)) for bit in range(len(KEY.wrapped) * 8)]
    assert [key for key in changed if opens(key, SEALED)] == []


@given(st.binary(min_size=1, max_size=200), st.data())
def test_any_flipped_bit_of_any_record_is_noticed(plaintext: bytes, data: st.DataObject):
    sealed = VAULT.seal(KEY, PLACE, plaintext)
    assert not opens(KEY, flipped(sealed, data.draw(st.integers(0, len(sealed) * 8 - 1))))


@given(st.binary(max_size=200))
def test_no_rubbish_opens_or_breaks(rubbish: bytes):
    with pytest.raises(SealBroken):
        VAULT.open(KEY, PLACE, rubbish)


def test_no_truncated_record_opens():
    assert [length for length in range(len(SEALED)) if opens(KEY, SEALED[:length])] == []


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"tenant_id": uuid4()},
        {"tenant_id": None},
        {"row_id": uuid4()},
        {"field": "orphan"},
        {"field": "credential "},
        {"fence": 8},
        {"fence": 0},
    ],
)
def test_a_record_opens_in_its_own_place_only(elsewhere):
    with pytest.raises(SealBroken):
        VAULT.open(KEY, dataclasses.replace(PLACE, **elsewhere), SEALED)


def test_another_environment_opens_neither_the_key_nor_the_record():
    staging = Vault(KEYRING, "staging")
    with pytest.raises(SealBroken):
        staging.open(KEY, PLACE, SEALED)
    # Even given the very data key, the record itself names its environment.
    there = staging._wrap(KEY.id, TENANT, VAULT._unwrap(KEY))
    with pytest.raises(SealBroken):
        staging.open(there, PLACE, SEALED)


def test_a_data_key_belongs_to_its_tenant_and_its_id():
    fresh = Vault(KEYRING, "production")
    for changed in ({"tenant_id": uuid4()}, {"tenant_id": None}, {"id": uuid4()}):
        with pytest.raises(SealBroken):
            fresh.seal(dataclasses.replace(KEY, **changed), PLACE, SECRET)
    # The same once the true row's key is cached.
    with pytest.raises(SealBroken):
        VAULT.seal(dataclasses.replace(KEY, tenant_id=uuid4()), PLACE, SECRET)


def test_another_data_key_of_the_same_tenant_is_not_tried():
    other = VAULT.new_data_key(uuid4(), TENANT)
    with pytest.raises(SealBroken, match="names another data key"):
        VAULT.open(other, PLACE, SEALED)
    renamed = SEALED[:1] + other.id.bytes + SEALED[17:]
    with pytest.raises(SealBroken):
        VAULT.open(other, PLACE, renamed)


def test_a_key_version_that_is_gone_is_the_operators_turn():
    with pytest.raises(KeyUnavailable, match="'v0'"):
        Vault(KEYRING, "production").open(dataclasses.replace(KEY, kek_version="v0"), PLACE, SEALED)


def test_the_commitment_is_judged_before_the_cipher(monkeypatch):
    """AES-GCM lets one ciphertext open under two keys; a record that commits to another key is refused before it."""
    opened = []
    real = vault.AESGCM

    class Watched:
        def __init__(self, key: bytes) -> None:
            self._cipher = real(key)

        def decrypt(self, *arguments: bytes) -> bytes:
            opened.append(arguments)
            return self._cipher.decrypt(*arguments)

    VAULT.open(KEY, PLACE, SEALED)
    monkeypatch.setattr(vault, "AESGCM", Watched)
    assert VAULT.open(KEY, PLACE, SEALED) == SECRET
    with pytest.raises(SealBroken):
        VAULT.open(KEY, PLACE, flipped(SEALED, 33 * 8))
    assert len(opened) == 1


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class CountingKeyring:
    """The real keyring, and how often it unwrapped."""

    newest = KEYRING.newest

    def __init__(self) -> None:
        self.unwrapped = 0

    def wrap(self, data_key: bytes, context: bytes) -> tuple[str, bytes]:
        return KEYRING.wrap(data_key, context)

    def unwrap(self, version: str, wrapped: bytes, context: bytes) -> bytes:
        self.unwrapped += 1
        return KEYRING.unwrap(version, wrapped, context)


def test_an_opened_data_key_stays_for_five_minutes():
    clock, ring = Clock(), CountingKeyring()
    cached = Vault(ring, "production", clock)
    for _ in range(3):
        cached.open(KEY, PLACE, SEALED)
    assert ring.unwrapped == 1
    clock.now += 299.9
    cached.open(KEY, PLACE, SEALED)
    assert ring.unwrapped == 1
    clock.now += 0.2
    cached.open(KEY, PLACE, SEALED)
    assert ring.unwrapped == 2


def test_a_rewrapped_row_is_unwrapped_anew_and_still_opens():
    ring = CountingKeyring()
    cached = Vault(ring, "production", Clock())
    cached.open(KEY, PLACE, SEALED)
    again = cached.rewrap(KEY)
    before = ring.unwrapped
    assert again.wrapped != KEY.wrapped
    assert cached.open(again, PLACE, SEALED) == SECRET
    assert ring.unwrapped == before + 1


def test_at_most_a_thousand_keys_stay_and_expired_ones_leave(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(vault, "_CACHE_SIZE", 3)
    cached = Vault(KEYRING, "production", clock)
    keys = [VAULT.new_data_key(uuid4(), TENANT) for _ in range(5)]
    for key in keys:
        cached.seal(key, PLACE, SECRET)
    assert list(cached._kept) == [key.id for key in keys[2:]]
    clock.now += 301
    cached.seal(keys[0], PLACE, SECRET)
    assert list(cached._kept) == [keys[0].id]


def test_a_fingerprint_tells_equal_secrets_of_one_key_and_nothing_else():
    other = VAULT.new_data_key(uuid4(), TENANT)
    one = VAULT.fingerprint(KEY, b"refresh token")
    assert one == VAULT.fingerprint(KEY, b"refresh token")
    assert len({one, VAULT.fingerprint(KEY, b"refresh token "), VAULT.fingerprint(other, b"refresh token")}) == 3
    assert len(one) == 16


def test_neither_vault_nor_key_show_the_data_key():
    data_key = VAULT._unwrap(KEY)
    shown = f"{VAULT!r} {KEY!r} {vars(VAULT).keys()}"
    assert data_key.hex() not in shown
    assert repr(data_key) not in shown


def test_a_wrapped_key_says_who_it_belongs_to():
    assert WrappedKey(id=KEY.id, tenant_id=TENANT, kek_version="v1", wrapped=KEY.wrapped) == KEY
    assert isinstance(KEY.id, UUID)
