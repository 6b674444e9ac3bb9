"""A provider as data: the values (`values`), what may not be said in them (`rules`)."""

from __future__ import annotations

from providers.definition.rules import check_definition
from providers.definition.values import (
    ApiErrorPaths,
    ConnectHelp,
    Environment,
    Evidence,
    ExternalAccountLookup,
    ProviderDefinition,
    Quirks,
    ScopeDescription,
    Traits,
)

__all__ = [
    "ApiErrorPaths",
    "ConnectHelp",
    "Environment",
    "Evidence",
    "ExternalAccountLookup",
    "ProviderDefinition",
    "Quirks",
    "ScopeDescription",
    "Traits",
    "check_definition",
]
