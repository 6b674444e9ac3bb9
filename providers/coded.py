"""The providers that need code of their own: the one place that knows their modules."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from providers.signing import SigningProvider
from providers.visma import fivaldi, netvisor

_MODULES = (fivaldi, netvisor)
# By the definition's id; whatever is not here is made from its definition alone.
CODED: Mapping[str, type[SigningProvider]] = MappingProxyType(
    {module.PROVIDER_ID: module.provider for module in _MODULES}
)
