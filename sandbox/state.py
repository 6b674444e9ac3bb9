"""Everything one running sandbox knows, in one object handed to every endpoint."""

import uuid
from pathlib import Path

from sandbox.clients import Clients, defaults
from sandbox.codes import Codes
from sandbox.faults import Faults
from sandbox.fixtures import Fixtures
from sandbox.grants import Grants
from sandbox.interactions import Interactions
from sandbox.journal import Journal
from sandbox.options import DEFAULT_REDIRECT_URI, Options
from sandbox.rate import RateLimit
from sandbox.secrecy import digest, new_token
from sandbox.signing import Signer
from sandbox.store import Store
from sandbox.tokens import Tokens
from sandbox.users import Company, Users

SEED_CLIENT = "sandbox-client"
SEED_USERS = {
    "anna@acme.example": (Company("Acme Oy", "1234567-1"),),
    "ben@books.example": (Company("Birch Books Oy", "2345678-0"), Company("Cedar Cafe Oy", "3456788-1")),
}


class Sandbox:
    """The state behind all endpoints; `issuer` is known once the socket is bound."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.issuer = ""
        self.latency: dict[str, float] = {}
        self.journal, self.faults, self.rate = Journal(), Faults(), RateLimit()
        self.interactions = Interactions()
        self.store = Store(options.data)
        self.signer, self.fixtures = Signer(self.store), Fixtures(self.store)
        self.clients, self.users, self.grants = Clients(self.store), Users(self.store), Grants(self.store)
        self.tokens, self.codes = Tokens(self.store, self.grants), Codes(self.store, self.grants)
        self.tokens.forget_expired()
        self._seed()

    def reset(self) -> None:
        """Back to the seed: users, clients, grants, faults, latencies, log and sign-ins."""
        self.store.wipe()
        self.clients.reload()
        self.latency.clear()
        self.interactions.clear()
        for forgetful in (self.journal, self.faults, self.rate):
            forgetful.clear()
        self._seed()

    def _seed(self) -> None:
        self._seed_client()
        if not self.users.all():
            for username, companies in SEED_USERS.items():
                numbered = tuple(
                    Company(one.name, one.corporate_identity_number, _company_id(one)) for one in companies
                )
                self.users.create(username, self.options.password, numbered)

    def _seed_client(self) -> None:
        """At a later start only what the command line says anew is changed."""
        known, options = self.clients.get(SEED_CLIENT), self.options
        if known is None:
            secret_hash = digest(_first_secret(options))
            uris = options.redirect_uris or (DEFAULT_REDIRECT_URI,)
        else:
            secret_hash = digest(options.client_secret) if options.client_secret else known.secret_hash
            uris = options.redirect_uris or known.settings.redirect_uris
        settings = defaults(options).with_redirect_uris(uris)
        self.clients.save(SEED_CLIENT, secret_hash, settings)


def _company_id(company: Company) -> str:
    # The same at every start and reset, so that scripts can name it.
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"company:{company.corporate_identity_number}"))


def _first_secret(options: Options) -> str:
    """The given secret, or a generated one, which only the data folder remembers in clear."""
    if options.client_secret:
        return options.client_secret
    if options.data is None:
        return new_token()
    return _kept_secret(options.data / "client-secret")


def _kept_secret(place: Path) -> str:
    if not place.exists():
        place.touch(mode=0o600)
        place.write_text(new_token() + "\n")
    return place.read_text().strip()
