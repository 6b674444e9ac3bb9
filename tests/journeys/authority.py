"""Every kind of key that the matrix of routes is asked with, and what a key that opens nothing is told.

Shape:  a kind is the name of a key in `keys_of`; `lacks:` and `only:` are followed by an operation.
"""

import json
import time
import uuid
import zlib
from dataclasses import dataclass, field

from joserfc import jwt
from joserfc.jwk import ECKey

from broker.services.workload_identity import identity_of
from tests.fakes.broker import Broker
from tests.journeys.installation import run_commands
from tests.people import EVERYTHING

AUDIENCE = "broker"
ELSEWHERE, HERE = "192.0.2.0/24", "127.0.0.0/8"
UNAUTHENTICATED = (401, "unauthenticated")
# The kinds that open nothing, and what they are told. `none` is no key at all.
SHUT = {
    "powerless": (403, "forbidden"),
    "lacking": (403, "forbidden"),
    "none": UNAUTHENTICATED,
    "unknown": UNAUTHENTICATED,
    "wrong-secret": UNAUTHENTICATED,
    "revoked": UNAUTHENTICATED,
    "expired": UNAUTHENTICATED,
    "inactive": UNAUTHENTICATED,
    "elsewhere": (403, "source_not_allowed"),
    "throttled": (429, "caller_throttled"),
    "limited": (429, "rate_limited"),
    "workload-unmapped": UNAUTHENTICATED,
    "workload-expired": UNAUTHENTICATED,
    "workload-forged": UNAUTHENTICATED,
    "workload-unsigned": UNAUTHENTICATED,
    "workload-ended": UNAUTHENTICATED,
}
# Those of Aalto's own caller, those of other callers that serve Aalto, and those for whom nothing of Aalto's exists.
OWN = ("aalto", "here", "workload")
COLLEAGUES = ("everywhere", "only")
STRANGERS = ("birch", "other-provider", "workload-birch")


@dataclass
class Issuer:
    """Signs tokens for workloads; its public key is pinned at the broker."""

    broker: Broker
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", parameters={"kid": "one"}))

    def __post_init__(self) -> None:
        pinned = json.dumps({"keys": [self.key.as_dict(private=False)]})
        self.broker.rows(
            "INSERT INTO tenants_trustedissuer (id, name, issuer, audience, algorithms, jwks_uri, jwks,"
            " max_life_seconds, active, created_at)"
            " VALUES (%s, 'cluster', %s, %s, '{ES256}', '', %s, 3600, true, now())",
            *(self.id, self.name, AUDIENCE, pinned),
        )

    @property
    def name(self) -> str:
        return f"https://issuer.example/{self.id}"

    def let_in(self, subject: str, caller: str, *, ended: bool = False) -> None:
        """Map a subject to a caller, as staff do."""
        known = identity_of(self.id, subject)
        self.broker.rows(
            "INSERT INTO tenants_apikey (id, caller_id, key_id, secret_hash, issuer_id, subject, created_at,"
            " expires_at, revoked_at) SELECT %s, id, %s, %s, %s, %s, now(), now() + interval '1 day', %s"
            " FROM tenants_caller WHERE name = %s",
            *(uuid.uuid4(), known.key_id, known.secret_hash, self.id, subject, "now" if ended else None, caller),
        )

    def token(self, subject: str, *, age: int = 0, key: ECKey | None = None) -> str:
        """Return a token that was made so many seconds ago and lives for ten minutes."""
        now = int(time.time()) - age
        claims = {"iss": self.name, "sub": subject, "aud": AUDIENCE, "iat": now, "exp": now + 600}
        return jwt.encode({"alg": "ES256", "kid": "one"}, claims, key or self.key)


def keys_of(broker: Broker, known: dict[str, str]) -> dict[str, str]:
    """Return a credential for each kind. Effects: callers, keys and an issuer beside those of the installation."""
    made = run_commands(broker, _commands())
    keys = {**known, **{answer["name"]: answer["api_key"] for answer in made if "name" in answer}}
    keys["here"] = made[-1]["api_key"]
    keys["unknown"], keys["wrong-secret"] = spoiled(known["aalto"], 2), spoiled(known["aalto"], 3)
    _spoil(broker, keys)
    return {**keys, **_workloads(Issuer(broker)), "none": ""}


def _commands() -> list[list[str]]:
    def caller(name: str, *words: str, operations: tuple[str, ...] = EVERYTHING) -> list[str]:
        allowed = [word for operation in operations for word in ("--operation", operation)]
        return ["create_caller", name, "--json", *(words or ("--tenant", "aalto")), *allowed]

    narrowed = [caller(f"only-{one}".replace(".", "-"), operations=(one,)) for one in EVERYTHING]
    lacking = [
        caller(f"lacks-{one}".replace(".", "-"), operations=tuple(other for other in EVERYTHING if other != one))
        for one in EVERYTHING
    ]
    others = [caller(name) for name in ("elsewhere", "throttled", "limited", "inactive")]
    everywhere = caller("everywhere", "--all-tenants")
    narrow = caller("other-provider", "--tenant", "aalto", "--provider", "tripletex")
    return [*narrowed, *lacking, *others, everywhere, narrow, ["create_key", "aalto", "--json"]]


def _spoil(broker: Broker, keys: dict[str, str]) -> None:
    """What is done by staff in admin, or by the broker itself."""
    for kind, change in {
        "elsewhere": f"networks = '{{{ELSEWHERE}}}'",
        "here": f"networks = '{{{HERE},{ELSEWHERE}}}'",
        "throttled": "throttled_until = now() + interval '1 hour'",
    }.items():
        broker.rows(f"UPDATE tenants_apikey SET {change} WHERE key_id = %s", keys[kind].split("_")[2])
    broker.rows("UPDATE tenants_caller SET rate_per_minute = 1 WHERE name = 'limited'")
    broker.rows("UPDATE tenants_caller SET active = false WHERE name = 'inactive'")


def _workloads(issuer: Issuer) -> dict[str, str]:
    issuer.let_in("aalto", "aalto")
    issuer.let_in("birch", "birch")
    issuer.let_in("ended", "aalto", ended=True)
    unsigned = issuer.token("aalto").rpartition(".")[0]
    return {
        "workload": issuer.token("aalto"),
        "workload-birch": issuer.token("birch"),
        "workload-ended": issuer.token("ended"),
        "workload-unmapped": issuer.token("nobody"),
        "workload-expired": issuer.token("aalto", age=3600),
        "workload-forged": issuer.token("aalto", key=ECKey.generate_key("P-256", parameters={"kid": "one"})),
        "workload-unsigned": f"{unsigned}.",
    }


def spoiled(key: str, part: int) -> str:
    """Return a key of the right form with another id (2) or another secret (3)."""
    words = key.split("_")[:4]
    words[part] = words[part][1:] + ("1" if words[part][0] == "0" else "0")
    body = "_".join(words)
    return f"{body}_{zlib.crc32(body.encode()):08x}"
