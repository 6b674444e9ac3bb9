"""Store who may call: callers, their API keys, workload identities. Each change is an audit event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now

from broker.errors import InvalidRequest
from broker.services import callers, directory, networks, workload_identity
from broker.services.register import save_new
from tenants import audit
from tenants.audit import Actor
from tenants.models import ApiKey, Caller, Operation, Tenant, TrustedIssuer

MOST_ACTIVE_KEYS = 2
# A workload identity has no secret that could grow old: its tokens end by themselves.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a caller may do, and how much. tenants None: all of them. providers empty: every provider. 0: no limit set.

    Shape:  purpose is what the caller is for, in a few words of ours.
    Units:  rate_per_minute in requests, over all processes; connections_per_hour in different ones, for each key.
    """

    tenants: Sequence[Tenant] | None
    operations: Sequence[str]
    providers: Sequence[str] = ()
    rate_per_minute: int = 0
    connections_per_hour: int = 0
    active: bool = True
    purpose: str = ""


def create_caller(
    name: str,
    *,
    tenants: Sequence[Tenant] | None,
    providers: Sequence[str],
    operations: Sequence[str],
    expires_days: int | None,
    source_networks: Sequence[str] = (),
    rate_per_minute: int = 0,
    connections_per_hour: int = 0,
    purpose: str = "",
    actor: Actor,
) -> tuple[Caller, ApiKey, str]:
    """Return the caller, its first key's row, and that key in clear. tenants None: all of them."""
    rights = Rights(
        tenants=tenants,
        operations=operations,
        providers=providers,
        rate_per_minute=rate_per_minute,
        connections_per_hour=connections_per_hour,
        purpose=purpose,
    )
    with transaction.atomic():
        caller = _insert(name, rights)
        row, key = _new_key(caller, expires_days, source_networks)
        _record("caller.created", caller, actor, key_id=row.key_id, now=standing(caller))
    return caller, row, key


def create_caller_without_key(name: str, rights: Rights, *, actor: Actor) -> Caller:
    """Return a caller that comes by workload identity alone. Raises InvalidRequest, naming the field."""
    with transaction.atomic():
        caller = _insert(name, rights)
        _record("caller.created", caller, actor, now=standing(caller))
    return caller


def _insert(name: str, rights: Rights) -> Caller:
    _check(rights)
    caller = _with(Caller(name=name), rights)
    save_new(caller, f"a caller named {name[:64]!r} exists already")
    caller.tenants.set(rights.tenants or [])
    return caller


def change_caller(name: str, rights: Rights, *, actor: Actor) -> Caller:
    """Give a caller these rights in place of what it had. Effective with its next request, on every process."""
    _check(rights)
    with transaction.atomic():
        caller = _locked(name)
        before = standing(caller)
        try:
            _with(caller, rights).full_clean(validate_unique=False, exclude=["operations"])
        except ValidationError as error:
            field, problems = next(iter(error.message_dict.items()))
            raise InvalidRequest(f"{field}: {problems[0]}") from None
        caller.save()
        caller.tenants.set(rights.tenants or [])
        now = standing(caller)
        changed = [what for what in now if now[what] != before[what]]
        _record("caller.changed", caller, actor, changed=changed, now={what: now[what] for what in changed})
    return caller


def rights_of(name: str) -> Rights:
    """Return what a caller may do now. Raises InvalidRequest for an unknown name."""
    caller = _caller(name)
    return Rights(
        tenants=None if caller.all_tenants else list(caller.tenants.all()),
        operations=caller.operations,
        providers=caller.providers,
        rate_per_minute=caller.rate_per_minute,
        connections_per_hour=caller.connections_per_hour,
        active=caller.active,
        purpose=caller.purpose,
    )


def standing(caller: Caller) -> dict[str, object]:
    """Return what a caller may do as the audit log keeps it. Shape: of many tenants the first fifty are named."""
    slugs = list(caller.tenants.order_by("slug").values_list("slug", flat=True)[:50])
    return {
        "active": caller.active,
        "operations": caller.operations,
        "tenants": "all" if caller.all_tenants else slugs,
        "providers": caller.providers or "all",
        "rate_per_minute": caller.rate_per_minute,
        "connections_per_hour": caller.connections_per_hour,
        "purpose": caller.purpose,
    }


def create_key(
    name: str, *, expires_days: int | None, source_networks: Sequence[str] = (), actor: Actor
) -> tuple[ApiKey, str]:
    """Return one more key of a caller, row and in clear: the old one goes on working until it is revoked.

    Raises: InvalidRequest when two are in use already: a change from one to the next needs no third.
    """
    with transaction.atomic():
        caller = _locked(name)
        if callers.active_keys(caller) >= MOST_ACTIVE_KEYS:
            raise InvalidRequest(
                f"{name} has {MOST_ACTIVE_KEYS} API keys in use already; revoke the one that is not needed any more"
            )
        row, key = _new_key(caller, expires_days, source_networks)
        _record("caller.key_created", caller, actor, key_id=row.key_id, networks=row.networks)
    return row, key


def _new_key(caller: Caller, expires_days: int | None, source_networks: Sequence[str]) -> tuple[ApiKey, str]:
    days = settings.API_KEY_MAX_DAYS if expires_days is None else expires_days
    if not 1 <= days <= settings.API_KEY_MAX_DAYS:
        raise InvalidRequest(f"an API key lives for 1 to {settings.API_KEY_MAX_DAYS} days")
    return callers.create_key(caller, expires_days=days, networks=networks.canonical(source_networks))


def add_workload(name: str, *, issuer: str, subject: str, source_networks: Sequence[str] = (), actor: Actor) -> ApiKey:
    """Return the row by which an issuer's subject comes in as this caller. Raises InvalidRequest.

    Effects: one row, new or, for a subject that was revoked, the old one in use again; one audit event.
    """
    trusted = TrustedIssuer.objects.filter(name=issuer).first()
    if trusted is None:
        raise InvalidRequest(f"no trusted issuer is named {issuer[:64]!r}")
    if not 0 < len(subject) <= 300 or not subject.isprintable():
        raise InvalidRequest("a subject has 1 to 300 printable characters, exactly as in the token's `sub`")
    workload = workload_identity.identity_of(trusted.id, subject)
    with transaction.atomic():
        caller = _locked(name)
        row = ApiKey.objects.select_for_update().filter(key_id=workload.key_id).first()
        if row is not None and row.revoked_at is None:
            raise InvalidRequest(f"this subject of {trusted.name} belongs to a caller already")
        row = row or ApiKey(key_id=workload.key_id, secret_hash=workload.secret_hash, issuer=trusted, subject=subject)
        row.caller, row.networks = caller, networks.canonical(source_networks)
        row.expires_at, row.revoked_at, row.throttled_until = NEVER, None, None
        row.save()
        _record("caller.workload_added", caller, actor, key_id=row.key_id, issuer=trusted.name, subject=subject)
    return row


def change_networks(key_id: str, source_networks: Sequence[str], *, actor: Actor) -> ApiKey:
    """Let a key be used from these networks only; none: from anywhere. Raises InvalidRequest."""
    with transaction.atomic():
        row = _key(key_id)
        row.networks = networks.canonical(source_networks)
        row.save(update_fields=["networks"])
        _record("caller.key_changed", row.caller, actor, key_id=row.key_id, networks=row.networks)
    return row


def lift_throttle(key_id: str, *, actor: Actor) -> None:
    """Let a key that was throttled read on; what it reads is counted anew. Raises InvalidRequest."""
    with transaction.atomic():
        row = _key(key_id)
        if not ApiKey.objects.filter(pk=row.pk, throttled_until__gt=Now()).update(throttled_until=Now()):
            raise InvalidRequest("this key is not throttled")
        _record("caller.throttle_lifted", row.caller, actor, key_id=row.key_id)


def revoke_key(key_id: str, *, actor: Actor) -> None:
    """Refuse a key from its next request on. Raises InvalidRequest for one that is unknown or revoked already."""
    with transaction.atomic():
        row = _key(key_id)
        if not callers.revoke_key(row.key_id):
            raise InvalidRequest("no key in use has this id")
        _record("caller.key_revoked", row.caller, actor, key_id=row.key_id)


def _check(rights: Rights) -> None:
    unknown = set(rights.operations) - set(Operation.values)
    if unknown or not rights.operations:
        raise InvalidRequest(f"operations must be among {', '.join(Operation.values)}")
    for provider_id in rights.providers:
        directory.provider(provider_id)


def _with(caller: Caller, rights: Rights) -> Caller:
    caller.active = rights.active
    caller.all_tenants = rights.tenants is None
    caller.operations = sorted(set(rights.operations))
    caller.providers = list(rights.providers)
    caller.rate_per_minute = rights.rate_per_minute
    caller.connections_per_hour = rights.connections_per_hour
    caller.purpose = rights.purpose
    return caller


def _caller(name: str) -> Caller:
    found = Caller.objects.filter(name=name).first()
    if found is None:
        raise InvalidRequest(f"no caller is named {name[:64]!r}")
    return found


def _locked(name: str) -> Caller:
    """The caller, so that of two changes at once the second sees the first."""
    return Caller.objects.select_for_update().get(pk=_caller(name).pk)


def _key(key_id: str) -> ApiKey:
    row = ApiKey.objects.select_related("caller").filter(key_id=key_id[:64]).first()
    if row is None:
        raise InvalidRequest("no key in use has this id")
    return row


def _record(action: str, caller: Caller, actor: Actor, **detail: object) -> None:
    audit.record(action, actor, tenant_id=None, detail={"caller": caller.name, **detail})
