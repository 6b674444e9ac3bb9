"""The people who can sign in, and the companies whose books they may open."""

import sqlite3
import uuid

import msgspec

from sandbox.errors import ControlError
from sandbox.secrecy import new_salt, password_hash, same
from sandbox.store import Store


class Company(msgspec.Struct, frozen=True):
    """A company with an eAccounting subscription."""

    name: str
    corporate_identity_number: str
    id: str = ""


class User(msgspec.Struct, frozen=True):
    """One person; `username` is the mail address."""

    id: str
    username: str
    companies: tuple[Company, ...]

    def company(self, company_id: str) -> Company | None:
        """The user's company of that id, or None."""
        return next((one for one in self.companies if one.id == company_id), None)


class Users:
    """Every user, kept with a salted password hash."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, username: str, password: str, companies: tuple[Company, ...]) -> User:
        """A new user.

        Raises: ControlError when the name is taken or nothing is given to sign in with.
        """
        if not username or not password:
            raise ControlError("a user needs a username and a password")
        numbered = tuple(msgspec.structs.replace(one, id=one.id or str(uuid.uuid4())) for one in companies)
        user, salt = User(str(uuid.uuid4()), username.lower(), numbered), new_salt()
        encoded = msgspec.json.encode(numbered).decode()
        values = (user.id, user.username, salt, password_hash(password, salt), encoded)
        try:
            self._store.run("INSERT INTO users VALUES (?, ?, ?, ?, ?)", *values)
        except sqlite3.IntegrityError:
            raise ControlError(f"there is already a user {username}", status=409) from None
        return user

    def all(self) -> list[User]:
        """Every user, by name."""
        return [_user(row) for row in self._store.all("SELECT * FROM users ORDER BY username")]

    def get(self, user_id: str) -> User | None:
        """The user of that id, or None."""
        row = self._store.one("SELECT * FROM users WHERE id = ?", user_id)
        return _user(row) if row else None

    def named(self, username: str) -> User | None:
        """The user of that name, or None."""
        row = self._store.one("SELECT * FROM users WHERE username = ?", username.strip().lower())
        return _user(row) if row else None

    def signed_in(self, username: str, password: str) -> User | None:
        """The user, if name and password belong together."""
        row = self._store.one("SELECT * FROM users WHERE username = ?", username.strip().lower())
        if row is None or not same(password_hash(password, row["salt"]).hex(), row["password_hash"].hex()):
            return None
        return _user(row)

    def set_password(self, user: User, password: str) -> None:
        """Replace the password; what that does to grants is decided elsewhere."""
        if not password:
            raise ControlError("a password cannot be empty")
        salt = new_salt()
        change = "UPDATE users SET salt = ?, password_hash = ? WHERE id = ?"
        self._store.run(change, salt, password_hash(password, salt), user.id)


def _user(row: sqlite3.Row) -> User:
    companies = msgspec.json.decode(row["companies"], type=tuple[Company, ...])
    return User(row["id"], row["username"], companies)
