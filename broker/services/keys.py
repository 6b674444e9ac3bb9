"""Rotate keys while the broker serves: re-wrap data keys, or give tenants new ones and re-seal.

Each row is its own short transaction that changes nothing when run again, so both may be interrupted anywhere. A row
that does not open is reported and left as it is; the others go on.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now

from broker.services import credentials
from broker.services.credential_text import decode
from broker.services.credentials import active_data_key, seal, unseal, vault
from tenants.errors import TenantsError
from tenants.models import (
    ClientRegistration,
    Connection,
    Credential,
    CredentialOrphan,
    DataKey,
    MintedToken,
    WebhookEndpoint,
)
from tenants.models.credential import credential_context

logger = logging.getLogger(__name__)
_RETIRED = Q(data_key__active=False)
_PASSES = 5
# A credential is under a retired key as long as its previous blob is, too.
_UNDER_RETIRED_KEY: tuple[tuple[type[models.Model], Q], ...] = (
    (ClientRegistration, _RETIRED),
    (Credential, _RETIRED | Q(previous_data_key__active=False)),
    (CredentialOrphan, _RETIRED & ~Q(sealed=b"")),
    (WebhookEndpoint, _RETIRED),
)


@dataclass(slots=True)
class Tally:
    """How many rows a run changed, and which it could not, each as `kind id`."""

    changed: int = 0
    failed: set[str] = field(default_factory=set)


def unusable_keys() -> list[str]:
    """Return a sentence for each key-encryption key version in the database that this process cannot unwrap with.

    One data key a version is tried: a wrong keyring, or the keys of another environment, must stop a start, not the
    first customer. Effects: two queries, few unwraps.
    """
    newest = DataKey.objects.order_by("kek_version", "-created_at").distinct("kek_version")
    return [sentence for key in newest if (sentence := _why_unusable(key))]


def _why_unusable(key: DataKey) -> str:
    try:
        vault().rewrap(key.as_wrapped())
    except TenantsError as error:
        return f"data keys under version {key.kek_version!r} do not open here: {error}"
    return ""


def rewrap_data_keys() -> Tally:
    """Wrap every data key by the newest key-encryption key."""
    tally = Tally()
    for row in list(DataKey.objects.exclude(kek_version=vault().keyring.newest)):
        _attempt(tally, row, _rewrap)
    return tally


def renew_data_keys() -> int:
    """Retire every tenant's sealing key, and the platform's, for a new one. Returns how many."""
    return sum(_replace(key) for key in DataKey.objects.filter(active=True))


def reseal() -> Tally:
    """Seal again whatever lies under a retired key: registrations, credentials, orphans, webhook secrets.

    Connect links and flows are left, with what they hold: retired keys still open them, and they end within the hour.
    Tokens for further sets of scopes are dropped: the next request makes new ones.
    """
    tally = Tally()
    for _ in range(_PASSES):
        # Again, until nothing is found: a renewal under way sealed under the key that was the active one when it began.
        if not _reseal_once(tally):
            break
    return tally


def _reseal_once(tally: Tally) -> int:
    before = tally.changed
    for model, condition in _UNDER_RETIRED_KEY:
        for row in list(model._default_manager.filter(condition).only("pk")):
            if _name(row) not in tally.failed:
                _attempt(tally, row, _reseal_locked)
    dropped, _ = MintedToken.objects.filter(_RETIRED).delete()
    return tally.changed - before + dropped


def _attempt(tally: Tally, row: models.Model, change: Callable[[models.Model], int]) -> None:
    try:
        tally.changed += change(row)
    except TenantsError as error:
        tally.failed.add(_name(row))
        logger.error("a row cannot be sealed again", extra={"reason": _name(row), "error": str(error)})


def _name(row: models.Model) -> str:
    return f"{row._meta.model_name} {row.pk}"


def _rewrap(row: models.Model) -> int:
    assert isinstance(row, DataKey)
    rewrapped = vault().rewrap(row.as_wrapped())
    # Only if the row is as it was read: two runs at once then do no harm.
    return DataKey.objects.filter(pk=row.pk, kek_version=row.kek_version).update(
        kek_version=rewrapped.kek_version, wrapped=rewrapped.wrapped
    )


@transaction.atomic
def _replace(key: DataKey) -> int:
    retired = DataKey.objects.filter(pk=key.pk, active=True).update(active=False, retired_at=Now())
    if retired:
        active_data_key(key.tenant_id)
    return retired


@transaction.atomic
def _reseal_locked(found: models.Model) -> int:
    # The lock orders this after any renewal that is being committed: what is read here is the newest version.
    rows = type(found)._default_manager.select_for_update()
    row = rows.filter(pk=found.pk).first()
    if isinstance(row, ClientRegistration | WebhookEndpoint):
        return _reseal_secrets(row)
    if isinstance(row, Credential):
        return _reseal_credential(row)
    if isinstance(row, CredentialOrphan):
        return _reseal_orphan(row)
    return 0


def _reseal_secrets(row: ClientRegistration | WebhookEndpoint) -> int:
    if row.data_key.active:
        return 0
    sealed = seal(row.seal_context(), unseal(row.data_key, row.seal_context(), row.sealed_secrets))
    rows = type(row)._default_manager.filter(pk=row.pk)
    return rows.update(sealed_secrets=sealed.blob, data_key=sealed.key)


def _reseal_credential(row: Credential) -> int:
    tenant_id = Connection.objects.values_list("tenant_id", flat=True).get(pk=row.pk)
    changes: dict[str, object] = {}
    if not row.data_key.active:
        context = credential_context(tenant_id, row.connection_id, row.version)
        plaintext = unseal(row.data_key, context, row.sealed)
        sealed = seal(context, plaintext)
        fingerprint = credentials.fingerprint_of(sealed.key, decode(plaintext))
        changes |= {"sealed": sealed.blob, "data_key": sealed.key, "refresh_fingerprint": fingerprint}
    previous = row.previous_data_key
    if previous is not None and not previous.active and row.previous_version is not None and row.previous_sealed:
        context = credential_context(tenant_id, row.connection_id, row.previous_version)
        sealed = seal(context, unseal(previous, context, row.previous_sealed))
        changes |= {"previous_sealed": sealed.blob, "previous_data_key": sealed.key}
    return Credential.objects.filter(pk=row.pk).update(**changes) if changes else 0


def _reseal_orphan(row: CredentialOrphan) -> int:
    if row.data_key.active or not row.sealed:
        return 0
    sealed = seal(row.seal_context(), unseal(row.data_key, row.seal_context(), row.sealed))
    return CredentialOrphan.objects.filter(pk=row.pk).update(sealed=sealed.blob, data_key=sealed.key)
