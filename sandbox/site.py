"""One authorization server's pages: where they are, in whose words, and whose people sign in there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sandbox.clients import Client
from sandbox.fixtures import Kind
from sandbox.secrecy import digest, same
from sandbox.state import Sandbox
from sandbox.users import User

PersonOf = Callable[[Sandbox, str], User | None]
Entered = Callable[[Sandbox, str, str], User | None]


@dataclass(frozen=True, slots=True)
class Site:
    """What differs between the authorization servers of the sandbox.

    Shape:  base is the path of the issuer, empty at the root. choice is the word for what a person chooses after
            signing in. person finds a user by id, entered by name and password. words says what a scope allows.
            chooses says whether this client's request, by its scope, is about one of those choices.
    """

    name: str
    base: str
    product: str
    choice: str
    person: PersonOf
    entered: Entered
    client: Callable[[Sandbox, str], Client | None]
    words: Callable[[str], str]
    chooses: Callable[[str], bool]

    def key(self, client_id: str) -> str:
        """The client's name in codes and grants, which all sites share."""
        return f"{self.name}/{client_id}" if self.base else client_id

    def endpoint(self, name: str) -> str:
        """An endpoint's name in the log."""
        return f"{self.name}.{name}" if self.base else name

    def issuer(self, sandbox: Sandbox) -> str:
        """The issuer of this authorization server."""
        return sandbox.issuer + self.base


class HasPassword(Protocol):
    """A fixture that somebody can sign in as."""

    @property
    def password(self) -> str:
        """The password in clear: all of this is made up."""
        ...


Fixture = TypeVar("Fixture", bound=HasPassword)


def entered_as_fixture(kind: Kind[Fixture], person: PersonOf) -> Entered:
    """How people sign in who are fixtures of this kind, by user name."""

    def entered(sandbox: Sandbox, username: str, password: str) -> User | None:
        known = sandbox.fixtures.find(kind, username.strip())
        if known is None or not same(digest(known.password), digest(password)):
            return None
        return person(sandbox, username.strip())

    return entered
