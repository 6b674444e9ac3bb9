"""What one system of the sandbox is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.fixtures import Kind
from sandbox.pipeline import Endpoint


@dataclass(frozen=True, slots=True)
class System:
    """One vendor's system: its paths, and the kinds of things that tests can put into it.

    Shape:  routes maps aiohttp paths to endpoints. A path that answers GET and POST differently has a second
            endpoint in posts; every other one takes all methods, and the endpoint says which it knows.
    """

    name: str
    routes: Mapping[str, Endpoint]
    posts: Mapping[str, Endpoint] = field(default_factory=dict)
    kinds: tuple[Kind[Any], ...] = ()

    def kind(self, name: str) -> Kind[Any] | None:
        """The kind of that name, or None."""
        return next((one for one in self.kinds if one.name == name), None)
