"""Clients of the signing systems, written for these tests from the vendors' documents."""

import base64
import hashlib
import hmac
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import httpx2

from tests.fakes.sandbox import SandboxProcess

NETVISOR = "X-Netvisor-Authentication-"
NETVISOR_HEADERS = (
    *(f"{NETVISOR}{name}" for name in ("Sender", "CustomerId", "PartnerId", "Timestamp", "TimestampUnix")),
    *(f"{NETVISOR}{name}" for name in ("TransactionId", "MAC", "MACHashCalculationAlgorithm")),
    f"{NETVISOR}UseHTTPResponseStatusCodes",
    "X-Netvisor-Interface-Language",
    "X-Netvisor-Organisation-ID",
)
CUID = "4CAB0000000000000000000000000001"


@dataclass
class NetvisorClient:
    """One customer of one partner; `at` shifts the clock, `changes` are header values that are signed too."""

    sandbox: SandboxProcess
    http: httpx2.Client
    customer_id: str = "XX_demo_1_12345"
    customer_key: str = "AAAABBBBCCCCDDDD0000111122223333"
    partner_id: str = "Xxx_123"
    partner_key: str = "99998888777766665555444433332222"
    organisation_id: str = "1234567-1"
    algorithm: str = "HMACSHA256"

    def settle(self, **members: object) -> None:
        """Make partner and customer known."""
        system = self.sandbox.system("netvisor")
        system.put("partners", self.partner_id, {"key": self.partner_key})
        customer = {"key": self.customer_key, "organisation_id": self.organisation_id, **members}
        system.put("customers", self.customer_id, customer)

    def url(self, resource: str = "customerlist.nv") -> str:
        return f"{self.sandbox.url}/netvisor/{resource}"

    def headers(self, url: str, *, at: float = 0.0, **changes: str) -> dict[str, str]:
        """Every header of a request that is right but for the changes."""
        now = datetime.fromtimestamp(time.time() + at, UTC)
        headers = {
            f"{NETVISOR}Sender": "BrokerDemo",
            f"{NETVISOR}CustomerId": self.customer_id,
            f"{NETVISOR}PartnerId": self.partner_id,
            f"{NETVISOR}Timestamp": f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03}",
            f"{NETVISOR}TransactionId": uuid.uuid4().hex,
            "X-Netvisor-Interface-Language": "EN",
            "X-Netvisor-Organisation-ID": self.organisation_id,
            f"{NETVISOR}MACHashCalculationAlgorithm": self.algorithm,
            **({f"{NETVISOR}TimestampUnix": str(int(now.timestamp()))} if self.algorithm == "HMACSHA256" else {}),
            f"{NETVISOR}UseHTTPResponseStatusCodes": "1",
        }
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        return {**headers, f"{NETVISOR}MAC": self._mac(url, headers)}

    def _mac(self, url: str, headers: dict[str, str]) -> str:
        names = ["Sender", "CustomerId", "Timestamp", "", " ", "TransactionId", "TimestampUnix"]
        special = {"": "X-Netvisor-Interface-Language", " ": "X-Netvisor-Organisation-ID"}
        found = [headers.get(special.get(name, NETVISOR + name)) for name in names]
        values = [unquote(url), *(value for value in found if value is not None), self.customer_key, self.partner_key]
        message = "&".join(values).encode("iso-8859-15")
        if self.algorithm == "SHA256":
            return hashlib.sha256(message).hexdigest()
        key = f"{self.customer_key}&{self.partner_key}".encode("iso-8859-15")
        return hmac.new(key, message, "sha256").hexdigest()

    def send(self, headers: dict[str, str], url: str = "", *, content: bytes | None = None) -> httpx2.Response:
        """The answer to these headers, sent in the encoding that was signed."""
        raw = [(name.encode(), value.encode("iso-8859-15")) for name, value in headers.items()]
        return self.http.request("GET" if content is None else "POST", url or self.url(), headers=raw, content=content)

    def call(self, resource: str = "customerlist.nv", content: bytes | None = None, **changes: str) -> httpx2.Response:
        """The answer to a request that is right but for the changes."""
        url = self.url(resource)
        return self.send(self.headers(url, **changes), url, content=content)


@dataclass
class FivaldiClient:
    """One partner."""

    sandbox: SandboxProcess
    http: httpx2.Client
    partner_id: str = "partner-demo-01"
    secret: str = "0f8fad5bd9cb469fa16570867728950e"
    more: dict[str, str] = field(default_factory=dict)

    def settle(self, **members: object) -> None:
        """Make the partner known, with one company."""
        system = self.sandbox.system("fivaldi")
        system.put("companies", CUID, {"business_id": "1234567-1", "name": "Acme Oy"})
        system.put("partners", self.partner_id, {"secret": self.secret, "companies": [CUID], **members})

    def url(self, path: str = "ping") -> str:
        return f"{self.sandbox.url}/fivaldi/customer/api/{path}"

    def headers(
        self, method: str, url: str, body: bytes = b"", content_type: str = "", at: float = 0
    ) -> dict[str, str]:
        """The headers of a request that is right."""
        own = {"X-Fivaldi-Timestamp": str(int(time.time() + at)), "X-Fivaldi-Partner": self.partner_id, **self.more}
        plain = bool(body) and not content_type.startswith("multipart/")
        digest = hashlib.md5(body).hexdigest() if plain else ""
        lines = sorted(f"{name.lower()}:{value}" for name, value in own.items())
        parts = urlsplit(url)
        query = [parts.query] if parts.query else []
        text = "\n".join([method, digest, content_type if plain else "", *lines, parts.path, *query])
        made = base64.b64encode(hmac.new(self.secret.encode(), text.encode(), "sha256").digest()).decode()
        typed = {"Content-Type": content_type} if content_type else {}
        return {**own, "Authorization": f"Fivaldi {made}", **typed}

    def call(
        self, path: str = "ping", method: str = "GET", body: bytes = b"", content_type: str = ""
    ) -> httpx2.Response:
        """The answer to a request that is right."""
        url = self.url(path)
        headers = self.headers(method, url, body, content_type)
        return self.http.request(method, url, headers=headers, content=body)
