"""The least that renewing could cost: the same POSTs by a bare asyncio client, no database, no seal, no checks.

`python -m bench.floor URL` reads client secret and refresh tokens from stdin and prints one line of JSON.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

CLIENT_ID = "sandbox-client"


@dataclass(frozen=True)
class Floor:
    """What a bare client manages; bad counts answers that were no new pair."""

    rps: float
    cpu_ms: float
    bad: int


def measure(url: str, secret: str, tokens: Sequence[str], *, seconds: float, in_flight: int) -> Floor:
    """Renew these tokens in turn from a fresh process; they are rotated afterwards."""
    command = [sys.executable, "-m", "bench.floor", url, "--seconds", str(seconds), "--in-flight", str(in_flight)]
    told = json.dumps({"secret": secret, "tokens": list(tokens)})
    done = subprocess.run(command, input=told, capture_output=True, text=True, check=True)
    return Floor(**json.loads(done.stdout))


async def _run(url: str, secret: str, tokens: deque[str], seconds: float, in_flight: int) -> dict[str, float]:
    done = bad = 0
    until = time.monotonic() + seconds
    auth = aiohttp.BasicAuth(CLIENT_ID, secret)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auth=auth) as session:

        async def client() -> None:
            nonlocal done, bad
            while time.monotonic() < until:
                form = {"grant_type": "refresh_token", "refresh_token": tokens.popleft()}
                async with session.post(url, data=form) as answer:
                    pair = await answer.json()
                done += 1
                bad += answer.status != 200
                tokens.append(pair.get("refresh_token", form["refresh_token"]))

        started = time.process_time()
        await asyncio.gather(*(client() for _ in range(in_flight)))
    return {"rps": done / seconds, "cpu_ms": (time.process_time() - started) / max(done, 1) * 1e3, "bad": bad}


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.floor", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--in-flight", type=int, default=128)
    arguments = parser.parse_args(words)
    given = json.load(sys.stdin)
    tokens = deque(given["tokens"])
    found = asyncio.run(_run(arguments.url, given["secret"], tokens, arguments.seconds, arguments.in_flight))
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
