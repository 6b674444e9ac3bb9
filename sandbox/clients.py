"""Client registrations: who may ask, where answers go, and how long tokens live for them."""

from urllib.parse import urlsplit

import msgspec

from sandbox.errors import ControlError
from sandbox.options import Options
from sandbox.secrecy import digest, same
from sandbox.store import Store

TWO_YEARS = 2 * 365 * 24 * 3600


class ClientSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can differ from client to client."""

    redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] | None = None
    access_token_seconds: int = 3600
    refresh_token_seconds: int = TWO_YEARS
    grace_seconds: float = 0.0
    code_seconds: float = 60.0
    rotation: str = "always"
    response_iss: str = "omit"
    require_pkce: bool = True
    response_modes: tuple[str, ...] = ("query",)
    api_requests_per_minute: int = 600

    def with_redirect_uris(self, uris: tuple[str, ...]) -> "ClientSettings":
        """The same settings with other redirect URIs."""
        return msgspec.structs.replace(self, redirect_uris=uris)


class Client(msgspec.Struct, frozen=True):
    """One registered client; its secret is kept as a digest."""

    client_id: str
    secret_hash: str
    settings: ClientSettings

    def accepts(self, secret: str) -> bool:
        """Whether this is the client's secret."""
        return same(self.secret_hash, digest(secret))

    def public(self) -> dict[str, object]:
        """What the control API shows."""
        return {"client_id": self.client_id, **msgspec.to_builtins(self.settings)}


class Clients:
    """Every registration, in memory for the hot path and written through to the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Client] = {}
        self.reload()

    def reload(self) -> None:
        """Read the registrations again from the store."""
        rows = self._store.all("SELECT client_id, secret_hash, settings FROM clients")
        self._known = {
            row["client_id"]: Client(
                row["client_id"],
                row["secret_hash"],
                msgspec.json.decode(row["settings"], type=ClientSettings),
            )
            for row in rows
        }

    def get(self, client_id: str) -> Client | None:
        """The registration, or None."""
        return self._known.get(client_id)

    def all(self) -> list[Client]:
        """Every registration, by client_id."""
        return [self._known[client_id] for client_id in sorted(self._known)]

    def save(self, client_id: str, secret_hash: str, settings: ClientSettings) -> Client:
        """Register or replace a client.

        Raises: ControlError for settings that no authorization server may accept.
        """
        _check(settings)
        values = (client_id, secret_hash, msgspec.json.encode(settings).decode())
        self._store.run("INSERT OR REPLACE INTO clients VALUES (?, ?, ?)", *values)
        self._known[client_id] = Client(client_id, secret_hash, settings)
        return self._known[client_id]

    def delete(self, client_id: str) -> bool:
        """Whether there was such a client to forget."""
        self._store.run("DELETE FROM clients WHERE client_id = ?", client_id)
        return self._known.pop(client_id, None) is not None


def defaults(options: Options) -> ClientSettings:
    """The settings of a client for which nothing else is said."""
    return ClientSettings(
        access_token_seconds=options.access_token_seconds,
        grace_seconds=options.grace_seconds,
        rotation=options.rotation,
        response_iss=options.response_iss,
    )


def _check(settings: ClientSettings) -> None:
    if settings.rotation not in ("always", "none"):
        raise ControlError("rotation is `always` or `none`")
    if not settings.response_modes or not set(settings.response_modes) <= {"query", "fragment", "form_post"}:
        raise ControlError("response_modes are one or more of `query`, `fragment` and `form_post`")
    if settings.response_iss not in ("omit", "send", "forge"):
        raise ControlError("response_iss is `omit`, `send` or `forge`")
    lifetimes = (settings.access_token_seconds, settings.refresh_token_seconds)
    if min(lifetimes) < 1 or min(settings.grace_seconds, settings.code_seconds) < 0:
        raise ControlError("lifetimes are positive seconds")
    for uri in settings.redirect_uris:
        _check_redirect_uri(uri)


def _check_redirect_uri(uri: str) -> None:
    """Source: RFC 6749 section 3.1.2."""
    parts = urlsplit(uri)
    if not parts.scheme or not parts.netloc or parts.fragment or "#" in uri:
        raise ControlError(f"a redirect URI is absolute and has no fragment: {uri}")
