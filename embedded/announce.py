"""What a person sees once everything runs."""

from embedded.first_tenant import ADMIN, SLUG, FirstTenant
from embedded.home import Home
from embedded.local_provider import PROVIDER
from embedded.manage import Manage
from embedded.sandbox_control import PASSWORD, USERNAME

TEXT = """
Token broker: everything runs on this machine.

  Connect    {link}
             press Continue, sign in at the sandbox as {username} with {password}
  Token      curl -s -H 'Authorization: Bearer {api_key}' \\
               {public_url}/v1/tenants/{slug}/providers/{provider}/token
             until the first Connect it answers 404 "connection_not_found"
  Admin      {public_url}/admin/   {admin} / {admin_password}
  API        {public_url}/docs

  Another connect link   .venv/bin/python -m embedded manage connect_link {slug} {provider}
  The whole story        make demo      (in another terminal)
  Logs                   {logs}
  Stop                   Ctrl-C         (a second start keeps the data)
"""


def text(home: Home, manage: Manage) -> str:
    """Return the welcome, with a fresh connect link."""
    tenant = FirstTenant(home, manage)
    return TEXT.format(
        link=tenant.connect_link(),
        username=USERNAME,
        password=PASSWORD,
        api_key=tenant.api_key,
        public_url=manage.variables["PUBLIC_URL"],
        slug=SLUG,
        provider=PROVIDER,
        admin=ADMIN,
        admin_password=tenant.admin_password.read_text().strip(),
        logs=home.logs,
    )
