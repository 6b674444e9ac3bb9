"""An issuer of workload tokens: keys of its own, a real HTTP server that publishes them, and tokens signed by them.

with Issuer() as issuer:
    token = issuer.token(sub="system:serviceaccount:billing:invoicing", aud="broker")
"""

import hmac
import json
import threading
import time
from base64 import urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from joserfc.jwk import JWKRegistry, Key
from joserfc.jws import JWSRegistry

HOST = "127.0.0.1"
ISSUER = "https://issuer.example"
AUDIENCE = "broker"
KINDS: dict[str, tuple[str, str | int]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", 2048)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}


def make_key(algorithm: str, kid: str, **members: str) -> Key:
    return JWKRegistry.generate_key(*KINDS[algorithm], parameters={"kid": kid, **members})


def sign(header: dict[str, Any], payload: bytes, key: Key | bytes | None) -> str:
    """Return a token whose every part is chosen. Unsigned without a key, with an HMAC where the key is bytes."""
    signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(payload)}"
    if key is None:
        return f"{signed}."
    if isinstance(key, bytes):
        digest = header["alg"].replace("HS", "sha")
        return f"{signed}.{_encoded(hmac.digest(key, signed.encode(), digest))}"
    return f"{signed}.{_encoded(JWSRegistry.algorithms[header['alg']].sign(signed.encode(), key))}"


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Publishes `published` at `jwks_uri` until told otherwise; `asked` counts the requests."""

    def __init__(self, algorithm: str = "ES256") -> None:
        self.algorithm = algorithm
        self.key = make_key(algorithm, "first")
        self.published: object = {"keys": [self.key.as_dict(private=False)]}
        self.status = 200
        self.asked = 0
        # Cleared, it holds answers back.
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.jwks_uri = f"http://{HOST}:{self._server.server_address[1]}/keys"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def publish(self, *keys: Key) -> None:
        self.published = {"keys": [key.as_dict(private=False) for key in keys]}

    def claims(self, **changed: object) -> dict[str, object]:
        """Return the claims of a good token; None takes one away."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "workload", "iat": now, "exp": now + 600, **changed}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, *, header: dict[str, Any] | None = None, key: Key | None = None, **changed: object) -> str:
        """Return a good token, but for what is changed in claims, header or key."""
        whole = {"alg": self.algorithm, "kid": "first", "typ": "JWT", **(header or {})}
        whole = {name: value for name, value in whole.items() if value is not None}
        return sign(whole, json.dumps(self.claims(**changed)).encode(), key or self.key)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                issuer.may_answer.wait(30)
                body = (
                    issuer.published if isinstance(issuer.published, bytes) else json.dumps(issuer.published).encode()
                )
                self.send_response(issuer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: the test looks at `asked`."""

        return Handler
