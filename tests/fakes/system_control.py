"""What tests put into the sandbox's systems, by its control API."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class SystemControl:
    """The fixtures of one system: `sandbox.system("netvisor").put("partners", "Xxx_123", {"key": "..."})`."""

    control: Callable[..., Any]
    name: str

    def put(self, kind: str, identifier: str, members: dict[str, Any]) -> dict[str, Any]:
        """Have exactly this thing under the id."""
        return self.control("PUT", self._path(kind, identifier), members)

    def change(self, kind: str, identifier: str, **members: Any) -> dict[str, Any]:
        """Change these members of the thing."""
        return self.control("PATCH", self._path(kind, identifier), members)

    def get(self, kind: str, identifier: str) -> dict[str, Any]:
        """The thing as it is now."""
        return self.control("GET", self._path(kind, identifier))

    def delete(self, kind: str, identifier: str) -> None:
        """Forget the thing."""
        self.control("DELETE", self._path(kind, identifier))

    def _path(self, kind: str, identifier: str) -> str:
        return f"systems/{self.name}/{kind}/{quote(identifier, safe='')}"
