"""What a catalogue file says of tokens that are made without a browser, of a choice of company, and of refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from providers.messages import Meaning


class Minting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an access token is asked for with what the registration and the customer gave.

    Shape:  parameters maps names to templates, in which `{name}` is an entered field, `{client_id}`,
            `{client_secret}`, `{parameters.<name>}`, `{scope}`, `{tomorrow}` or `{day_after_tomorrow}` (YYYY-MM-DD,
            UTC); one that comes out empty is not sent. encoding says where they go: a form, a JSON object, or the
            URL's query.
            client_authentication: the registration authenticates itself besides, as
            token_endpoint_auth_methods_supported says. scopes_on_request: a token may be asked for with other
            scopes than the registration's, each set of scopes with a token of its own.
    """

    parameters: Mapping[str, str]
    method: Literal["POST", "PUT"] = "POST"
    encoding: Literal["form", "json", "query"] = "form"
    client_authentication: bool = False
    scopes_on_request: bool = False


class CompanyChoice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The one GET that lists the companies a token reaches, of which a connection has one.

    Shape:  endpoint begins with {api_base_url}; list_path is dotted, empty when the answer is the list itself;
            id_path and name_path are within an entry. The id is kept under `extras` by the name `extra`.
    """

    endpoint: str
    id_path: str
    name_path: str
    list_path: str = ""
    extra: str = "company_id"


class KnownRefusal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one of the provider's own refusals means, and what a person does about it.

    Shape:  error is the code as it comes (OAuth `error`, or at api_errors.code_path), contains a part of the text;
            one or both, in any case. statuses narrows to HTTP statuses, at to what the token endpoint or the API
            says; empty for all. fields are the entered or registration fields that are likely wrong. text is for
            the customer, one or two sentences.
    """

    means: Meaning
    error: str = ""
    contains: str = ""
    statuses: tuple[int, ...] = ()
    at: Literal["", "token", "api"] = ""
    fields: tuple[str, ...] = ()
    text: str = ""
