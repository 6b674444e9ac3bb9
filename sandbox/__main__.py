"""`python -m sandbox`: start, say where, serve until told to stop."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from sandbox.app import build
from sandbox.options import Options, parse
from sandbox.state import Sandbox
from sandbox.store import StoreInUse

# Requests that a script stalls for minutes must not hold up the stop.
SHUTDOWN_SECONDS = 0.3
BACKLOG = 1024


def main() -> int:
    """The exit status: 0 after a clean stop, 1 when the start failed."""
    options = parse()
    try:
        asyncio.run(_serve(options))
    except (StoreInUse, OSError) as error:
        print(f"sandbox: cannot start: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(options: Options) -> None:
    stop = _stop_signal()
    sandbox = Sandbox(options)
    runner = web.AppRunner(build(sandbox), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, options.host, options.port, backlog=BACKLOG)
        await site.start()
        sandbox.issuer = _url(options.host, runner.addresses[0][1])
        _tell(options.ready_file, sandbox.issuer)
        await stop.wait()
    finally:
        await runner.cleanup()
        sandbox.store.close()


def _stop_signal() -> asyncio.Event:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _tell(ready_file: Path | None, url: str) -> None:
    """The ready line on stdout, and in the ready file, which appears whole or not at all."""
    line = json.dumps({"ready": True, "url": url})
    if ready_file is not None:
        part = ready_file.with_name(ready_file.name + ".part")
        part.write_text(line + "\n")
        os.replace(part, ready_file)
    # Last, so that whoever has read the line finds the file.
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
