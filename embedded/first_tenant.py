"""The admin, tenant, caller and client registration that a newcomer finds ready at the first start."""

import hashlib
import secrets
from collections.abc import Callable
from typing import Any

from embedded.errors import EmbeddedError
from embedded.home import Home
from embedded.local_provider import ENVIRONMENT, PROVIDER
from embedded.manage import Manage
from embedded.sandbox_control import SandboxControl

ADMIN = "admin"
SLUG = "acme"
CLIENT_ID = "sandbox-client"
REDIRECT_KEY = f"{PROVIDER}-{ENVIRONMENT}"
OPERATIONS = ("token.read", "connection.read", "connect.create", "connection.manage")
SCOPES = ("ea:sales_readonly", "ea:accounting_readonly")


class FirstTenant:
    """Makes what is missing, one remembered step at a time: a start may be interrupted anywhere."""

    def __init__(self, home: Home, manage: Manage) -> None:
        self._home = home
        self._manage = manage
        self._database = hashlib.sha256(manage.variables["DATABASE_URL"].encode()).hexdigest()[:16]
        self.admin_password = home.secret("admin-password", lambda: secrets.token_urlsafe(15))

    @property
    def api_key(self) -> str:
        """The caller's key; the broker itself keeps only its hash."""
        return str(self._once("caller", self._create_caller)["api_key"])

    def ensure(self, control: SandboxControl) -> None:
        """Have everything in this database and at this sandbox."""
        self._once("admin", self._create_admin)
        self._once("tenant", self._create_tenant)
        self._once("caller", self._create_caller)
        self._once("registration", self._register)
        # Not the remembered address: the web port may be another one at this start.
        redirect_uri = f"{self._manage.variables['PUBLIC_URL']}/cb/{REDIRECT_KEY}"
        control.keep_client(CLIENT_ID, self._client_secret(), redirect_uri)

    def connect_link(self) -> str:
        """Return a fresh link to the connect page."""
        return str(self._manage.json("connect_link", SLUG, PROVIDER)["url"])

    def _once(self, step: str, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        known = self._home.read("first-tenant.json")
        if known.get("database") != self._database:
            known = {"database": self._database}
        if step not in known:
            known[step] = do()
            self._home.write("first-tenant.json", known)
        found: dict[str, Any] = known[step]
        return found

    def _create_admin(self) -> dict[str, Any]:
        password = self.admin_password.read_text().strip()
        extra = {"DJANGO_SUPERUSER_PASSWORD": password, "DJANGO_SUPERUSER_EMAIL": "admin@localhost"}
        try:
            self._manage.run("createsuperuser", "--noinput", "--username", ADMIN, extra=extra)
        except EmbeddedError as error:
            if "already taken" not in str(error):
                raise
        return {"username": ADMIN}

    def _create_tenant(self) -> dict[str, Any]:
        return self._manage.json("create_tenant", SLUG, "--name", "Acme Oy")

    def _create_caller(self) -> dict[str, Any]:
        operations = [word for operation in OPERATIONS for word in ("--operation", operation)]
        return self._manage.json("create_caller", "first-service", "--tenant", SLUG, *operations)

    def _register(self) -> dict[str, Any]:
        return register(self._manage, SLUG, CLIENT_ID, self._client_secret(), REDIRECT_KEY)

    def _client_secret(self) -> str:
        path = self._home.secret("sandbox-client-secret", lambda: secrets.token_urlsafe(32))
        return path.read_text().strip()


def register(manage: Manage, tenant: str, client_id: str, secret: str, redirect_key: str) -> dict[str, Any]:
    """Return the registration of a sandbox client for this tenant."""
    words = ["register_client", PROVIDER, "--environment", ENVIRONMENT, "--tenant", tenant]
    words += ["--client-id", client_id, "--client-secret-file", "-", "--redirect-key", redirect_key]
    return manage.json(*words, *(word for scope in SCOPES for word in ("--scope", scope)), stdin=secret)
