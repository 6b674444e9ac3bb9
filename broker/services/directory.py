"""The process's one provider registry, built from the catalogue and the settings."""

from functools import cache
from pathlib import Path

from django.conf import settings

from broker.errors import ProviderNotAvailable
from providers.errors import UnknownProvider
from providers.generic import OAuthProvider
from providers.outbound import Outbound
from providers.registry import Registry


@cache
def registry() -> Registry:
    """Return the registry; the first call reads every catalogue file. Raises DefinitionError."""
    outbound = Outbound(
        connect_timeout=settings.OUTBOUND_CONNECT_TIMEOUT_SECONDS,
        total_timeout=settings.OUTBOUND_TIMEOUT_SECONDS,
        allow_loopback=settings.ALLOW_LOOPBACK_PROVIDERS,
    )
    extra = Path(settings.CATALOGUE_DIRECTORY) if settings.CATALOGUE_DIRECTORY else None
    return Registry.load(outbound, extra_directory=extra, allow_loopback=settings.ALLOW_LOOPBACK_PROVIDERS)


def provider(provider_id: str) -> OAuthProvider:
    """Return the provider. Raises ProviderNotAvailable for an id that no catalogue file has."""
    try:
        return registry().get(provider_id)
    except UnknownProvider:
        raise ProviderNotAvailable("no catalogue file describes this provider") from None
