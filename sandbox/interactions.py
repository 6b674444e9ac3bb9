"""Sign-ins in progress, and browsers that are signed in; in memory, so a restart makes people begin again."""

import time
from dataclasses import dataclass

from sandbox.errors import PageError
from sandbox.secrecy import new_token, same

INTERACTION_SECONDS = 600


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """An authorization request that passed every check."""

    client_id: str
    redirect_uri: str
    scope: str
    state: str | None
    code_challenge: str
    nonce: str
    prompt: tuple[str, ...]
    login_hint: str
    response_mode: str = "query"


@dataclass(slots=True)
class Interaction:
    """One walk through the pages of one site, bound to the browser that began it."""

    id: str
    csrf: str
    browser: str
    asked: AuthorizationRequest
    site: str
    expires_at: float
    user_id: str = ""
    company_id: str = ""


class Interactions:
    """Walks by id, and who is signed in by browser."""

    def __init__(self) -> None:
        self._walks: dict[str, Interaction] = {}
        self._signed_in: dict[tuple[str, str], str] = {}

    def begin(self, asked: AuthorizationRequest, browser: str, site: str) -> Interaction:
        """A new walk for this browser at this site."""
        self._forget_expired()
        walk = Interaction(new_token(), new_token(), browser, asked, site, time.time() + INTERACTION_SECONDS)
        self._walks[walk.id] = walk
        return walk

    def of(self, walk_id: str, browser: str) -> Interaction:
        """The walk, if this browser began it.

        Raises: PageError.
        """
        walk = self._walks.get(walk_id)
        if walk is None or walk.expires_at < time.time():
            raise PageError("This sign-in is over or has expired. Start again where you came from.", status=410)
        if not browser or not same(walk.browser, browser):
            raise PageError("This sign-in was begun in another browser.", status=403)
        return walk

    def finish(self, walk: Interaction) -> None:
        """The walk has been answered and cannot be answered again."""
        self._walks.pop(walk.id, None)

    def sign_in(self, browser: str, site: str, user_id: str) -> None:
        """Remember who uses this browser at this site."""
        self._signed_in[browser, site] = user_id

    def user_of(self, browser: str, site: str) -> str:
        """The user signed in at this site with this browser, or an empty string."""
        return self._signed_in.get((browser, site), "")

    def sign_out_user(self, user_id: str) -> None:
        """End every session of this user, walks in progress included."""
        self._signed_in = {key: one for key, one in self._signed_in.items() if one != user_id}
        self._walks = {key: walk for key, walk in self._walks.items() if walk.user_id != user_id}

    def clear(self) -> None:
        """Forget everybody."""
        self._walks.clear()
        self._signed_in.clear()

    def _forget_expired(self) -> None:
        now = time.time()
        # Walks are kept in the order they began, so the expired ones are in front.
        while self._walks and (oldest := next(iter(self._walks.values()))).expires_at < now:
            del self._walks[oldest.id]
