"""The only door to the internet: `door.Outbound`, over `network` (deadline, phases) and `addresses`."""

from __future__ import annotations

from providers.outbound.door import Outbound

__all__ = ["Outbound"]
