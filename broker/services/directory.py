"""The process's one provider registry, built from the catalogue and the settings."""

from functools import cache
from pathlib import Path

from django.conf import settings

from broker.errors import OperationUnsupported, ProviderNotAvailable
from providers.errors import UnknownProvider, UnsupportedOperation
from providers.generic import OAuthProvider
from providers.outbound import Outbound
from providers.registry import AnyProvider, Registry


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


def provider(provider_id: str) -> AnyProvider:
    """Return the provider, whatever its kind. Raises ProviderNotAvailable for an id that no catalogue file has."""
    try:
        return registry().find(provider_id)
    except UnknownProvider:
        raise ProviderNotAvailable("no catalogue file describes this provider") from None


def authorizing(provider_id: str) -> OAuthProvider:
    """Return a provider that sends the customer's browser to it. Raises ProviderNotAvailable, OperationUnsupported."""
    try:
        return registry().get(provider_id)
    except UnknownProvider:
        raise ProviderNotAvailable("no catalogue file describes this provider") from None
    except UnsupportedOperation as error:
        raise unsupported(error) from None


def unsupported(error: UnsupportedOperation) -> OperationUnsupported:
    """Return what a caller is told when a provider cannot do what was asked: it names what the provider can."""
    can = ", ".join(error.supported)
    return OperationUnsupported(
        f"{error.provider_id} has no {error.operation}; it has {can}", extra={"supported": list(error.supported)}
    )
