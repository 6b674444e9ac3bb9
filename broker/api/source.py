"""Where a request comes from: the staff's pages and the customers' ask the same."""

from broker.services.source import source_of

__all__ = ["source_of"]
