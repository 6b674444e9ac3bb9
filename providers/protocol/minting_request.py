"""The request for an access token that is made of what the registration and the customer gave."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from providers.definition import Minting, ProviderDefinition
from providers.definition.templates import fill
from providers.messages import ClientRegistration, EnteredCredential, HttpRequest
from providers.protocol import quirks
from providers.protocol.api_call import entered_values
from providers.protocol.client_authentication import authenticate
from providers.protocol.token_endpoint import ENDPOINT


def build_minting_request(
    definition: ProviderDefinition,
    minting: Minting,
    registration: ClientRegistration,
    url: str,
    *,
    parameters: Mapping[str, str],
    entered: EnteredCredential,
    scopes: tuple[str, ...],
    now: dt.datetime,
) -> HttpRequest:
    """The request, every scope named in it.

    Shape:  parameters are the registration's, defaults filled in. now is aware.
    Raises: ClientRejected when the registration cannot authenticate itself as it must; nothing is sent.
    Source: RFC 6749 section 4.4.2, where the provider keeps to it.
    """
    values = {
        **entered_values(registration, parameters, entered),
        "scope": quirks.joined_scopes(definition.quirks, scopes),
        "tomorrow": _day(now, 1),
        "day_after_tomorrow": _day(now, 2),
    }
    filled = ((name, fill(template, values)) for name, template in minting.parameters.items())
    fields = quirks.with_extra_token_parameters(definition.quirks, tuple((n, v) for n, v in filled if v))
    client_fields, headers = authenticate(definition, registration) if minting.client_authentication else ((), {})
    return HttpRequest(
        method=minting.method,
        url=url,
        endpoint=ENDPOINT,
        fields=fields + client_fields,
        encoding=minting.encoding,
        headers=headers,
    )


def _day(now: dt.datetime, ahead: int) -> str:
    return (now.astimezone(dt.UTC) + dt.timedelta(days=ahead)).date().isoformat()
