"""A vendor that nobody has heard of: its API, several ways to let somebody in, and catalogue files for them.

    with Vendor() as vendor: vendor.write_catalogue(folder, sandbox.url)

It keeps its calls, so that a test can say that nothing was sent. Where people sign in, they do so at the sandbox.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self

COMPANY = "0112038-9"
KEY = "canary-key-ABCDEF123456"
USER = "anna"
PASSWORD = "canary-password-987"
NAME = "Acme Oy"

# One company by its business id and a key.
BOOKS = """
id = "books"
display_name = "Key <b>Books</b>"
documentation = "https://docs.books.example"
verified_on = 2026-01-02
grant_types_supported = []
api_authorization = "none"
api_headers = { X-Company = "{company}", X-Key = "{api_key}", X-Software = "{client_id}" }
exclusive_accounts = true
[external_account]
endpoint = "{api_base_url}/me"
subject_path = "number"
name_path = "name"
[[entered_fields]]
name = "company"
label = "Business ID of the company"
help = ["It is on every invoice."]
kind = "business_id"
example = "0112038-9"
[[entered_fields]]
name = "api_key"
label = "API key"
help = ["In Key Books, open Settings and choose Keys.", "Copy the whole key."]
pattern = "[A-Za-z0-9-]{8,60}"
expected = "the key as Key Books shows it"
secret = true
[[registration_fields]]
name = "client_id"
label = "Software"
[[refusals]]
means = "credential_refused"
error = "bad_key"
fields = ["api_key"]
text = "Key Books does not know this key."
[[refusals]]
means = "right_missing"
error = "no_right"
text = "Somebody has to tick the box Integrations in Key Books."
[[refusals]]
means = "client_rejected"
error = "bad_software"
[api_errors]
code_path = "code"
[connect]
needs = ["You need a key of Key Books."]
after = ["The connection ends when the key is deleted."]
[environments.local]
api_base_url = "{url}"
"""
# The same vendor, let in by a key or by a user's name and password.
TWO_WAYS = """
id = "two-ways"
display_name = "Two Ways"
documentation = "https://docs.books.example"
verified_on = 2026-01-02
grant_types_supported = []
api_authorization = "none"
api_headers = { X-Company = "{company}", X-Key = "{api_key}", X-User = "{username}", X-Password = "{password}" }
[external_account]
endpoint = "{api_base_url}/me"
subject_path = "number"
name_path = "name"
[[entered_fields]]
name = "company"
label = "Business ID"
kind = "business_id"
way = "key"
[[entered_fields]]
name = "api_key"
label = "API key"
secret = true
way = "key"
[[entered_fields]]
name = "username"
label = "User name"
way = "login"
[[entered_fields]]
name = "password"
label = "Password"
secret = true
way = "login"
[[registration_fields]]
name = "client_id"
label = "Software"
[connect]
link = "https://books.example/start?software={client_id}"
[environments.local]
api_base_url = "{url}"
"""
# Nothing to fill in: the registration opens the account.
OPEN = """
id = "open"
display_name = "Open Door"
documentation = "https://docs.books.example"
verified_on = 2026-01-02
grant_types_supported = []
api_authorization = "none"
api_headers = { X-Software = "{client_id}" }
[external_account]
endpoint = "{api_base_url}/house"
subject_path = "number"
name_path = "name"
[[registration_fields]]
name = "client_id"
label = "Software"
[environments.local]
api_base_url = "{url}"
"""
# Signing in at the sandbox, as with its own provider; but the answer is posted, or there are companies to choose from.
SIGN_IN = """
[environments.local]
issuer = "{sandbox}"
authorization_endpoint = "{sandbox}/connect/authorize"
token_endpoint = "{sandbox}/connect/token"
revocation_endpoint = "{sandbox}/connect/revocation"
userinfo_endpoint = "{sandbox}/connect/userinfo"
api_base_url = "{api}"
"""
POSTING = """
id = "posting"
based_on = "visma-eaccounting"
display_name = "Posting Books"
response_modes_supported = ["form_post"]
"""
CHOOSING = """
id = "choosing"
based_on = "visma-eaccounting"
display_name = "Many Books"
[company_choice]
endpoint = "{api_base_url}/companies"
id_path = "id"
name_path = "name"
[[refusals]]
means = "right_missing"
error = "no_role"
text = "Give the user the role Integrations in Many Books."
[api_errors]
code_path = "code"
"""
FORMS = {"books": BOOKS, "two-ways": TWO_WAYS, "open": OPEN}
SIGN_INS = {"posting": POSTING, "choosing": CHOOSING}


class Vendor:
    """Answers by what a test has set; `answer` overrides the next calls with a status and a body."""

    def __init__(self) -> None:
        self.calls: list[dict[str, str]] = []
        self.answer: tuple[int, Any] | None = None
        self.companies: dict[str, str] = {COMPANY: NAME}
        self.listed = [{"id": "1", "name": "First Oy"}, {"id": "2", "name": "Second Oy"}]
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                given = {name.lower(): value for name, value in self.headers.items()}
                vendor.calls.append(given)
                status, body = vendor.answer or vendor.judge(self.path, given)
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nothing to say."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def judge(self, path: str, given: dict[str, str]) -> tuple[int, Any]:
        """Whether these headers open a company, and which."""
        if path == "/companies":
            return 200, self.listed
        if path == "/house":
            return 200, {"number": "1", "name": "The house"}
        number = given.get("x-company", "")
        by_key = number in self.companies and given.get("x-key") == KEY
        by_login = (given.get("x-user"), given.get("x-password")) == (USER, PASSWORD)
        if not (by_key or by_login):
            return 401, {"code": "bad_key"}
        return 200, {"number": number or COMPANY, "name": self.companies.get(number, NAME)}

    def write_catalogue(self, folder: Path, sandbox_url: str) -> None:
        """Put its catalogue files into an extra catalogue folder."""
        for provider_id, text in FORMS.items():
            (folder / f"{provider_id}.toml").write_text(text.replace("{url}", self.url))
        for provider_id, more in SIGN_INS.items():
            text = more + SIGN_IN
            # Who posts asks the sandbox whose account it is; who chooses asks the vendor for its companies.
            api = self.url if provider_id == "choosing" else f"{sandbox_url}/v2"
            for key, value in {"{id}": provider_id, "{sandbox}": sandbox_url, "{api}": api}.items():
                text = text.replace(key, value)
            (folder / f"{provider_id}.toml").write_text(text)

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
