"""`python -m bench.doors`: CPU microseconds a POST of several HTTP clients, 64 requests at a time in one process.

The peer answers after 200 ms from a process of its own. Each client is measured in a fresh process.
"""

import argparse
import asyncio
import http.client
import importlib.util
import multiprocessing
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from bench import peer

FIELDS = (("grant_type", "refresh_token"), ("refresh_token", "y" * 64))
BASIC = {"Authorization": "Basic c2FuZGJveC1jbGllbnQ6c2VjcmV0"}
FORM = {**BASIC, "Content-Type": "application/x-www-form-urlencoded"}
CLOSE = {**FORM, "Connection": "close"}
ANSWER_SECONDS = 0.2
Post = Callable[[], object]


def door(url: str, tls: ssl.SSLContext | None) -> Post:
    from providers.messages import HttpRequest  # noqa: PLC0415  only what is measured is loaded
    from providers.outbound import Outbound  # noqa: PLC0415

    outbound = Outbound(allow_loopback=True, ssl_context=tls)
    request = HttpRequest(method="POST", url=url, endpoint="token", fields=FIELDS, headers=BASIC)
    return lambda: outbound.send(request).status


def httpcore2_pool(url: str, tls: ssl.SSLContext | None) -> Post:
    import httpcore2  # noqa: PLC0415

    pool = httpcore2.ConnectionPool(ssl_context=tls, max_connections=None, max_keepalive_connections=0)
    body = urlencode(FIELDS).encode()
    return lambda: pool.request("POST", url, headers=CLOSE, content=body).status


def httpx2_client(url: str, tls: ssl.SSLContext | None) -> Post:
    import httpx2  # noqa: PLC0415

    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    client = httpx2.Client(verify=tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), limits=limits, trust_env=False)
    return lambda: client.post(url, data=dict(FIELDS), headers=CLOSE).status_code


def http_client(url: str, tls: ssl.SSLContext | None) -> Post:
    parts, body = urlsplit(url), urlencode(FIELDS)

    def post() -> int:
        kind: Any = http.client.HTTPSConnection if tls else http.client.HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=20, **({"context": tls} if tls else {}))
        connection.request("POST", parts.path, body, CLOSE)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return int(answer.status)

    return post


def urllib3_pool(url: str, tls: ssl.SSLContext | None) -> Post:
    import urllib3  # noqa: PLC0415

    pool = urllib3.PoolManager(maxsize=64, retries=False, **({"ssl_context": tls} if tls else {}))
    return lambda: pool.request_encode_body("POST", url, dict(FIELDS), CLOSE, encode_multipart=False).status


def requests_session(url: str, tls: ssl.SSLContext | None) -> Post:
    import requests  # noqa: PLC0415

    session = requests.Session()
    session.trust_env = False
    return lambda: session.post(url, dict(FIELDS), headers=CLOSE, verify=False).status_code


THREADED = {
    "door": door,
    "httpcore2": httpcore2_pool,
    "httpx2": httpx2_client,
    "http.client": http_client,
    "urllib3": urllib3_pool,
    "requests": requests_session,
}


async def _aiohttp(url: str, tls: ssl.SSLContext | None, seconds: float, clients: int, *, keep: bool) -> int:
    import aiohttp  # noqa: PLC0415

    connector = aiohttp.TCPConnector(limit=0, force_close=not keep, ssl=tls or True)
    until, counts = time.monotonic() + seconds, [0] * clients
    async with aiohttp.ClientSession(connector=connector) as session:

        async def run(number: int) -> None:
            while time.monotonic() < until:
                async with session.post(url, data=FIELDS, headers=BASIC) as answer:
                    await answer.read()
                counts[number] += 1

        await asyncio.gather(*map(run, range(clients)))
    return sum(counts)


def _threads(post: Post, seconds: float, clients: int) -> int:
    until, counts = time.monotonic() + seconds, [0] * clients

    def run(number: int) -> None:
        while time.monotonic() < until:
            post()
            counts[number] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return sum(counts)


def _measured(name: str, url: str, trusted: Path | None, seconds: float, clients: int, told: Connection) -> None:
    tls = ssl.create_default_context(cafile=trusted) if trusted else None
    if name.startswith("aiohttp"):
        start = time.process_time()
        count = asyncio.run(_aiohttp(url, tls, seconds, clients, keep=name.endswith("kept")))
    else:
        post = THREADED[name](url, tls)
        post()
        start = time.process_time()
        count = _threads(post, seconds, clients)
    told.send((count, time.process_time() - start))


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.doors", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--only", nargs="*", default=[*THREADED, "aiohttp", "aiohttp kept"])
    arguments = parser.parse_args(words)
    print(f"{'client':>14} {'scheme':>7} {'POST/s':>8} {'CPU us a POST':>14}")
    with tempfile.TemporaryDirectory() as folder:
        certificate = peer.write_certificate(Path(folder) / "localhost.pem")
        for scheme, trusted in (("http", None), ("https", certificate)):
            with peer.answering(ANSWER_SECONDS, trusted) as (port, _):
                for name in arguments.only:
                    _row(name, f"{scheme}://localhost:{port}/token", trusted, arguments)
    return 0


def _row(name: str, url: str, trusted: Path | None, arguments: argparse.Namespace) -> None:
    if importlib.util.find_spec(name.split()[0]) is None and name != "door":
        print(f"{name:>14} is not installed")
        return
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measured, args=(name, url, trusted, arguments.seconds, arguments.clients, theirs))
    process.start()
    theirs.close()
    count, spent = ours.recv()
    process.join()
    scheme = urlsplit(url).scheme
    print(f"{name:>14} {scheme:>7} {count / arguments.seconds:>8.0f} {spent / count * 1e6:>14.0f}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
