"""A door with short times, and the one request that the tests send through it."""

from __future__ import annotations

import pytest

from providers.errors import ProviderUnavailable
from providers.messages import HttpRequest
from providers.outbound import Outbound

FIELDS = (("grant_type", "refresh_token"), ("refresh_token", "canary-1 &é"))


def door(**options) -> Outbound:
    return Outbound(**{"connect_timeout": 2, "total_timeout": 2, "allow_loopback": True, **options})


def post(outbound: Outbound, url: str):
    headers = {"Authorization": "Basic canary-2"}
    request = HttpRequest(method="POST", url=url, endpoint="token", fields=FIELDS, headers=headers)
    return outbound.send(request, provider_id="p")


def failure(url: str, **options) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable) as caught:
        post(door(**options), url)
    return caught.value
