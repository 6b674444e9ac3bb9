"""Ends to come: told ahead, listed for staff, and recognized when they have come."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from broker.errors import BrokerError
from broker.services import credentials, directory, schedule, states
from providers.definition import Traits
from providers.errors import DefinitionError, ProviderError
from providers.interface import HANDS_OUT_TOKENS
from tenants.models import ClientRegistration, Connection, ExpiryNotice, Reason
from tenants.querysets import forecast as rows
from tenants.querysets.forecast import Authorized, Batch, Place

_CONNECTION, _REGISTRATION = "connection.expires_soon", "registration.expires_soon"
# About 5,000 slots, or as many credentials: well within the statement timeout on a machine that has other work.
_PAGES, _BATCH = 100, 5_000
# Notices of ends that have passed are of use to who asks what was told; not for ever.
_KEPT = timedelta(days=90)
_FIRST = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))
# The provider counts from when it answered, we from when we heard it.
_SLACK = timedelta(minutes=5)
_Traits = dict[UUID, Traits]


def tell_ends(now: datetime) -> int:
    """Tell of each end that is 30, 14, 7 or 1 days away, once each; return how many were told.

    Effects: for each, one notice, one outbox and one audit event, committed a batch at a time.
    """
    traits = dict(_traits())
    told = sum(_in_batches(_unrenewed(traits, now), 0))
    for days, registrations in _by_lifetime(traits).items():
        told += sum(_in_batches(_absolute(registrations, days, now), _FIRST))
    told += rows.tell_secrets(event=_REGISTRATION, now=now)
    rows.forget(before=now - _KEPT)
    return told


def _traits() -> Iterator[tuple[UUID, Traits]]:
    """The traits of every registration in use whose connections hold tokens."""
    found = ClientRegistration.objects.filter(disabled_at=None).defer("sealed_secrets")
    for row in found.iterator():
        try:
            provider = directory.provider(row.provider_id)
            if HANDS_OUT_TOKENS in provider.capabilities:
                yield row.pk, provider.traits(credentials.registration_without_secrets(row))
        except (ProviderError, DefinitionError, BrokerError):
            # What the catalogue has lost is found, and recorded, by whoever renews or asks.
            continue


def _in_batches(tell: Callable[[Place], Batch[Place]], first: Place) -> Iterator[int]:
    place: Place | None = first
    while place is not None:
        batch = tell(place)
        yield batch.told
        place = batch.next


def _unrenewed(traits: _Traits, now: datetime) -> Callable[[int], Batch[int]]:
    unused = {registration: schedule.unused_days(each) for registration, each in traits.items()}
    return lambda page: rows.tell_unrenewed(unused, page, event=_CONNECTION, pages=_PAGES, now=now)


def _absolute(registrations: list[UUID], days: int, now: datetime) -> Callable[[Authorized], Batch[Authorized]]:
    return lambda after: rows.tell_absolute(registrations, days, after, event=_CONNECTION, limit=_BATCH, now=now)


def _by_lifetime(traits: _Traits) -> dict[int, list[UUID]]:
    found: dict[int, list[UUID]] = defaultdict(list)
    for registration, each in traits.items():
        days = schedule.lifetime_days(each)
        if days is not None:
            found[days].append(registration)
    return found


def reason_of_end(connection: Connection, traits: Traits, now: datetime) -> Reason | None:
    """Return why a provider refuses a grant whose time is up by what is known of it; None when it is not.

    Shape: connection with its credential.
    """
    held, at = connection.credential, now + _SLACK
    lifetime, unused = schedule.lifetime_days(traits), schedule.unused_days(traits)
    if lifetime is not None and held.grant_issued_at + timedelta(days=lifetime) <= at:
        return Reason.ABSOLUTE_EXPIRED
    if unused is not None and held.issued_at + timedelta(days=unused) <= at:
        return Reason.IDLE_EXPIRED
    return None


def ends_to_come() -> QuerySet[ExpiryNotice]:
    """Return what was told and is still to come, each end once: whatever has been renewed or reconnected is out."""
    counted_from = {
        ExpiryNotice.Kind.IDLE: "credential__issued_at__lte",
        ExpiryNotice.Kind.ACCESS_TOKEN: "credential__issued_at__lte",
        ExpiryNotice.Kind.ABSOLUTE: "credential__grant_issued_at__lte",
    }
    live = Connection.objects.filter(pk=OuterRef("subject_id"), state__in=states.LIVE)
    registration = ClientRegistration.objects.filter(
        pk=OuterRef("subject_id"), disabled_at=None, secret_expires_at=OuterRef("ends_at")
    )
    still = Q(Exists(registration), kind=ExpiryNotice.Kind.CLIENT_SECRET)
    for kind, unchanged in counted_from.items():
        still |= Q(Exists(live.filter(**{unchanged: OuterRef("created_at")})), kind=kind)
    same_end = {name: OuterRef(name) for name in ("subject_id", "kind", "ends_on")}
    nearer = ExpiryNotice.objects.filter(**same_end, days__lt=OuterRef("days"))
    return ExpiryNotice.objects.filter(~Exists(nearer), still, ends_at__gt=Now())
