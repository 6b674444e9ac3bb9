"""What a catalogue file can say, in the words of RFC 8414 where it has one.

Every class refuses unknown keys and is frozen; the tables it holds are read-only by type. Never any secret.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from providers.definition.minting import CompanyChoice, KnownRefusal, Minting
from providers.definition.signing import EnteredField, RegistrationField, Signing

# RFC 8414 calls a list without entries absent; these are what we can speak, the first is the default.
AuthMethod = Literal["client_secret_basic", "client_secret_post", "none"]
GrantType = Literal["authorization_code", "refresh_token"]
Rotation = Literal["none", "sometimes", "always"]


class Environment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One installation of the provider: its authorization server and its API.

    Shape:  issuer is compared character by character with `iss` (RFC 9207). api_hosts are further hosts that
            the API may be reached at, besides api_base_url's own. The three OAuth endpoints are empty where
            the provider has no authorization server.
    """

    api_base_url: str
    issuer: str = ""
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    revocation_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool = False
    api_hosts: tuple[str, ...] = ()

    @property
    def iss_required(self) -> bool:
        """Whether an authorization response without `iss` is refused."""
        return self.authorization_response_iss_parameter_supported


class Evidence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a trait is known from: a page, and the day it was read or probed."""

    source: str
    read_on: dt.date


class Traits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the provider behaves beyond the standard; each trait that is set has evidence under its own name.

    Units:  what the names say. grace_seconds is how long a rotated refresh token may still be sent.
    Shape:  refresh_token_idle_days counts from the last use, refresh_token_lifetime_days from the authorization
            (or from the last rotation, where rotation_restarts_lifetime). minimum_renewal_interval_seconds: two
            renewals of one grant may not be closer. early_renewal_refused_seconds: a renewal is refused while the
            access token lives for longer than this.
    """

    refresh_token_rotation: Rotation = "sometimes"
    grace_seconds: int = 0
    reuse_kills_family: bool = False
    refresh_kills_access_token: bool = False
    refresh_token_lifetime_days: int | None = None
    rotation_restarts_lifetime: bool = False
    refresh_token_idle_days: int | None = None
    minimum_renewal_interval_seconds: int = 0
    early_renewal_refused_seconds: int | None = None
    access_token_lifetime_default_seconds: int = 1800
    access_token_lifetime_maximum_seconds: int = 86400
    access_token_never_expires: bool = False
    rate_limit_requests_per_minute: int | None = None
    evidence: Mapping[str, Evidence] = field(default_factory=dict)


class Quirks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The closed list of deviations from the RFCs; `protocol/quirks.py` has one function for each.

    Shape:  error_aliases maps the provider's error codes to the RFC's; token_type_aliases maps its token
            types, in lower case, to "Bearer"; token_response_path is the dotted path to the tokens' object.
            expires_at_member names a member with the instant (or the day) of expiry, where there is no expires_in.
            unauthorized_means_grant_rejected: a bare 401 of the token endpoint speaks of what the customer gave.
    """

    scope_separator: str = " "
    access_token_member: str = "access_token"
    token_type_member: str = "token_type"
    expires_at_member: str = ""
    unauthorized_means_grant_rejected: bool = False
    token_request_extra_parameters: Mapping[str, str] = field(default_factory=dict)
    basic_auth_unencoded: bool = False
    client_id_also_in_body: bool = False
    token_response_form_encoded: bool = False
    token_response_path: str = ""
    token_type_may_be_absent: bool = False
    token_type_aliases: Mapping[str, str] = field(default_factory=dict)
    error_aliases: Mapping[str, str] = field(default_factory=dict)


class ApiErrorPaths(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the vendor's own error bodies keep what staff asks for: dotted paths, empty for none."""

    code_path: str = ""
    description_path: str = ""
    id_path: str = ""


class ExternalAccountLookup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The one GET that tells whose account it is.

    Shape:  endpoint is a URL that may use {api_base_url}, {userinfo_endpoint} and entered fields; the paths are
            dotted. entered_subject names the entered field that is the subject, where the answer does not say it.
            access_token_claim names a claim of an access token that is a JWT: then nothing is sent, and endpoint
            is empty. body_ok are prefixes of which a good answer's text has one, where the status says nothing.
            state_endpoint is one GET more, whose answer is good unless it is one of the known refusals.
    """

    endpoint: str = ""
    subject_path: str = ""
    name_path: str = ""
    entered_subject: str = ""
    access_token_claim: str = ""
    method: Literal["GET", "POST"] = "GET"
    body_ok: tuple[str, ...] = ()
    state_endpoint: str = ""


class ScopeDescription(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scope and one plain sentence on what it lets us do, for the connect page.

    Shape:  a name that ends in "*" stands for every scope that begins so.
    """

    name: str
    description: str


class ConnectHelp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the customer should know before pressing the button; plain English, one sentence a line.

    Shape:  link is a page of the provider's where the customer gets what the form asks for; `{client_id}` in it is
            the registration's.
    """

    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    link: str = ""


class ProviderDefinition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything we know of one provider.

    Shape:  required_scopes are always sent; default_scopes are sent when a registration chooses none.
            The first of token_endpoint_auth_methods_supported is the default.
            api_paths are what may be called beneath the base URL: `*` is one segment or a part of one, `**` the
            rest. base_url_parameter names the registration parameter that may put another base URL in its place.
            api_authorization: "basic" sends the access token as the password of api_basic_user, "none" sends only
            api_headers. In those `{name}` is an entered field, `{client_id}`, `{client_secret}`,
            `{parameters.<name>}` or `{extras.<name>}`.
            exclusive_accounts: an account may be connected by one tenant only, since knowing its name proves
            nothing. one_tenant_only: a registration has to belong to one tenant, since it opens all accounts.
            sunset_on and sunset_note tell staff when the provider ends it.
    """

    id: str
    display_name: str
    documentation: str
    verified_on: dt.date
    environments: Mapping[str, Environment]
    grant_types_supported: tuple[GrantType, ...] = ("authorization_code", "refresh_token")
    response_types_supported: tuple[str, ...] = ("code",)
    response_modes_supported: tuple[str, ...] = ("query",)
    code_challenge_methods_supported: tuple[str, ...] = ("S256",)
    token_endpoint_auth_methods_supported: tuple[AuthMethod, ...] = ("client_secret_basic",)
    ui_locales_supported: tuple[str, ...] = ()
    required_scopes: tuple[str, ...] = ()
    default_scopes: tuple[str, ...] = ()
    scopes_supported: tuple[ScopeDescription, ...] = ()
    authorization_extra_parameters: Mapping[str, str] = field(default_factory=dict)
    traits: Traits = field(default_factory=Traits)
    quirks: Quirks = field(default_factory=Quirks)
    api_errors: ApiErrorPaths = field(default_factory=ApiErrorPaths)
    external_account: ExternalAccountLookup | None = None
    connect: ConnectHelp = field(default_factory=ConnectHelp)
    entered_fields: tuple[EnteredField, ...] = ()
    registration_fields: tuple[RegistrationField, ...] = ()
    signing: Signing | None = None
    minting: Minting | None = None
    company_choice: CompanyChoice | None = None
    refusals: tuple[KnownRefusal, ...] = ()
    api_paths: tuple[str, ...] = ("/**",)
    base_url_parameter: str = ""
    api_authorization: Literal["bearer", "basic", "none"] = "bearer"
    api_basic_user: str = ""
    api_headers: Mapping[str, str] = field(default_factory=dict)
    exclusive_accounts: bool = False
    one_tenant_only: bool = False
    sunset_on: dt.date | None = None
    sunset_note: str = ""

    def scope_description(self, scope: str) -> str:
        """The sentence for a scope, or the scope itself when the file has none."""
        return next((entry.description for entry in self.scopes_supported if entry.name == scope), scope)

    def has_scope(self, scope: str) -> bool:
        """Whether the provider has the scope, as far as the file says."""
        # RFC 6749 section 3.3, scope-token.
        return re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}", scope) is not None and any(
            scope == entry.name or (entry.name.endswith("*") and scope.startswith(entry.name[:-1]))
            for entry in self.scopes_supported
        )
