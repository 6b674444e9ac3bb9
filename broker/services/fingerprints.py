"""Tell which token somebody read, without keeping anything that leads back to it."""

from collections import OrderedDict
from uuid import UUID

from broker.services import credentials
from broker.services.credential_text import encode
from providers.messages import EnteredCredential, StoredCredential
from tenants.errors import TenantsError
from tenants.querysets.hand_out import HandOut
from tenants.vault import WrappedKey

# A version lives for an hour or so, and is read again and again: each is opened once here.
_MOST = 10_000
_Place = tuple[int, int, int]


class Fingerprints:
    """Fingerprints of what rows hold, each computed once. For one thread at a time."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._known: OrderedDict[_Place, bytes] = OrderedDict()

    def of(self, row: HandOut, *, minted: bool) -> bytes | None:
        """Return 16 bytes that tell this row's token from others of its tenant; None when it does not open."""
        place = _place(row, minted=minted)
        found = self._known.get(place)
        if found is None:
            found = _compute(row, minted=minted)
            if found is not None:
                self._remember(place, found)
        return found

    def _remember(self, place: _Place, found: bytes) -> None:
        self._known[place] = found
        if len(self._known) > self._most:
            self._known.popitem(last=False)


def _place(row: HandOut, *, minted: bool) -> _Place:
    assert row.connection_id is not None
    if not minted:
        return row.connection_id.int, row.version, 0
    assert row.minted is not None
    assert row.minted.id is not None
    return row.connection_id.int, row.minted.version, row.minted.id.int


def _compute(row: HandOut, *, minted: bool) -> bytes | None:
    held = row.minted if minted else row
    assert held is not None
    key = WrappedKey(
        id=held.data_key_id, tenant_id=row.tenant_id, kek_version=held.kek_version, wrapped=bytes(held.wrapped)
    )
    try:
        return of_credential(key, _opened(key, row, minted=minted))
    except TenantsError:
        return None


def _opened(key: WrappedKey, row: HandOut, *, minted: bool) -> StoredCredential:
    if minted:
        assert row.minted is not None
        id_, sealed = row.minted.id, row.minted.sealed
        assert isinstance(id_, UUID)
        assert sealed is not None
        return credentials.open_minted(key, row_id=id_, version=row.minted.version, sealed=sealed)
    assert row.connection_id is not None
    assert row.sealed is not None
    return credentials.open_handed_out(key, connection_id=row.connection_id, version=row.version, sealed=row.sealed)


def of_credential(key: WrappedKey, credential: StoredCredential) -> bytes:
    """Return the fingerprint of its access token; of all that was typed in, where requests are signed with that."""
    if isinstance(credential, EnteredCredential):
        return credentials.vault().fingerprint(key, encode(credential))
    return credentials.vault().fingerprint(key, credential.access_token.reveal().encode())
