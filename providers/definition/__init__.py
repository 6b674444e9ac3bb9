"""A provider as data: the values (`values`, `signing`), what may not be said in them (`rules`, `signing_rules`)."""

from __future__ import annotations

from providers.definition.minting import CompanyChoice, KnownRefusal, Minting
from providers.definition.rules import check_definition
from providers.definition.signing import EnteredField, RegistrationField, Signing
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
    "CompanyChoice",
    "ConnectHelp",
    "EnteredField",
    "Environment",
    "Evidence",
    "ExternalAccountLookup",
    "KnownRefusal",
    "Minting",
    "ProviderDefinition",
    "Quirks",
    "RegistrationField",
    "ScopeDescription",
    "Signing",
    "Traits",
    "check_definition",
]
