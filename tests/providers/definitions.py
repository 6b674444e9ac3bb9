"""A plain provider, without a quirk."""

from __future__ import annotations

import datetime as dt

from providers.definition import (
    ApiErrorPaths,
    Environment,
    ExternalAccountLookup,
    ProviderDefinition,
    ScopeDescription,
)

ENVIRONMENT = Environment(
    issuer="https://login.example",
    authorization_endpoint="https://login.example/authorize?tenant=common",
    token_endpoint="https://login.example/token",
    revocation_endpoint="https://login.example/revoke",
    api_base_url="https://api.example/v1",
)


def plain_definition() -> ProviderDefinition:
    """A provider as the RFCs would have it, with error members of its own beside them."""
    return ProviderDefinition(
        id="plain",
        display_name="Plain",
        documentation="https://docs.example/oauth",
        verified_on=dt.date(2026, 1, 2),
        environments={"production": ENVIRONMENT},
        token_endpoint_auth_methods_supported=("client_secret_basic", "client_secret_post", "none"),
        required_scopes=("api",),
        default_scopes=("read",),
        scopes_supported=tuple(
            ScopeDescription(name=name, description=f"The {name} scope") for name in ("api", "read", "write")
        ),
        authorization_extra_parameters={"prompt": "select_account"},
        ui_locales_supported=("fi",),
        api_errors=ApiErrorPaths(code_path="Code", description_path="Text", id_path="Ref.Id"),
        external_account=ExternalAccountLookup(
            endpoint="{api_base_url}/me", subject_path="company.number", name_path="company.name"
        ),
    )
