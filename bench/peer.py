"""A token endpoint that costs next to nothing: one answer for every request, after a pause, in its own process."""

import asyncio
import datetime as dt
import json
import multiprocessing
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BODY = json.dumps(
    {
        "access_token": "x" * 900,
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": "y" * 64,
        "scope": "ea:api",
    }
).encode()
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: %d\r\n"
_ANSWER = _HEAD % len(BODY) + b"\r\n" + BODY
_LAST_ANSWER = _HEAD % len(BODY) + b"Connection: close\r\n\r\n" + BODY


class _Answers(asyncio.Protocol):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head.lower()):
            return
        self._buffer = b""
        last = b"connection: close" in head.lower()
        asyncio.get_running_loop().call_later(self._seconds, self._answer, last)

    def _answer(self, last: bool) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(_LAST_ANSWER if last else _ANSWER)
        if last:
            self._transport.close()


def _length(head: bytes) -> int:
    _, found, rest = head.partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


@contextmanager
def answering(seconds: float, certificate: Path | None = None) -> Iterator[tuple[int, int]]:
    """The port and the process id of the endpoint while it runs; with a certificate it speaks TLS."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(seconds, certificate, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv(), process.pid or 0
    finally:
        process.terminate()
        process.join()


def _serve(seconds: float, certificate: Path | None, told: Connection) -> None:
    asyncio.run(_serving(seconds, certificate, told))


async def _serving(seconds: float, certificate: Path | None, told: Connection) -> None:
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Answers(seconds), "127.0.0.1", 0, ssl=tls, backlog=1024)
    told.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def write_certificate(file: Path) -> Path:
    """Write key and certificate of localhost, which is its own authority, into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(pem))
    return file
