"""What the sandbox's systems know of partners, companies and keys: set by the control API, read by the systems."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from sandbox.errors import ControlError
from sandbox.store import Store

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Kind(Generic[Thing]):
    """One kind of thing that a system knows.

    Shape:  shape is a msgspec.Struct with `forbid_unknown_fields`; its members are what the control API takes.
            A kind that its System does not list is the system's own memory: kept and wiped with the others, and
            out of the control API's reach.
    """

    system: str
    name: str
    shape: type[Thing]


class Fixtures:
    """Every thing of every kind, written through to the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, kind: Kind[Thing], identifier: str) -> Thing | None:
        """The thing of that id, or None."""
        find = "SELECT members FROM fixtures WHERE system = ? AND kind = ? AND id = ?"
        row = self._store.one(find, kind.system, kind.name, identifier)
        return msgspec.json.decode(row["members"], type=kind.shape) if row else None

    def all(self, kind: Kind[Thing]) -> dict[str, Thing]:
        """Every thing of the kind, by id."""
        find = "SELECT id, members FROM fixtures WHERE system = ? AND kind = ? ORDER BY id"
        rows = self._store.all(find, kind.system, kind.name)
        return {row["id"]: msgspec.json.decode(row["members"], type=kind.shape) for row in rows}

    def put(self, kind: Kind[Thing], identifier: str, thing: Thing) -> None:
        """Keep the thing under this id, in the place of any other."""
        members = msgspec.json.encode(thing).decode()
        self._store.run(
            "INSERT OR REPLACE INTO fixtures VALUES (?, ?, ?, ?)", kind.system, kind.name, identifier, members
        )

    def add(self, kind: Kind[Thing], identifier: str, thing: Thing) -> bool:
        """Whether the id was new; the thing is kept only then."""
        members = msgspec.json.encode(thing).decode()
        keep = "INSERT OR IGNORE INTO fixtures VALUES (?, ?, ?, ?)"
        return self._store.run(keep, kind.system, kind.name, identifier, members) == 1

    def delete(self, kind: Kind[Any], identifier: str) -> bool:
        """Whether there was such a thing to forget."""
        forget = "DELETE FROM fixtures WHERE system = ? AND kind = ? AND id = ?"
        return self._store.run(forget, kind.system, kind.name, identifier) == 1


def thing_of(kind: Kind[Thing], members: dict[str, Any]) -> Thing:
    """The members as a thing of the kind.

    Raises: ControlError naming the member that is unknown, missing or of the wrong type.
    """
    try:
        return msgspec.convert(members, kind.shape)
    except msgspec.ValidationError as error:
        raise ControlError(f"{kind.system}/{kind.name}: {error}") from None
