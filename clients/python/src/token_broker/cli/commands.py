"""Each command: what it asks the broker, and what it prints."""

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from token_broker import Refused, TokenBroker
from token_broker.calls import MOST_IN_A_BATCH
from token_broker.cli.tables import as_json, listing, members, table, text_of

Command = Iterator[str]
CONNECTION_COLUMNS = ("id", "tenant", "provider", "label", "state", "reason", "external_account")
EVENT_COLUMNS = ("connection", "tenant", "provider", "label", "state", "reason")


def token(broker: TokenBroker, options: argparse.Namespace, *, colour: bool) -> Command:
    found = broker.token(
        options.tenant,
        options.provider,
        label=options.label,
        connection=options.connection,
        min_ttl=options.min_ttl,
        scope=options.scope,
    )
    if options.raw:
        yield found.access_token
    elif options.json:
        yield as_json(found)
    else:
        # A screen is shared and scrolled back: the token itself is printed only when that is asked for.
        told = {**members(found), "access_token": "(--raw prints it)", "headers": ", ".join(found.headers)}
        yield from listing(told, colour=colour)


def headers(broker: TokenBroker, options: argparse.Namespace, *, colour: bool) -> Command:
    body = _read(options.body_file) if options.body_file else None
    found = broker.headers(
        options.tenant,
        options.provider,
        method=options.method,
        url=options.to,
        label=options.label,
        connection=options.connection,
        body=body,
        content_type=options.content_type,
    )
    # As `curl -H @-` reads them.
    yield from [as_json(found)] if options.json else [f"{name}: {value}" for name, value in found.headers.items()]


def batch(broker: TokenBroker, options: argparse.Namespace, *, colour: bool) -> Command:
    lines = [line.split() for line in _read(options.file).decode().splitlines() if line.strip()]
    for some in _pieces(lines):
        asked: list[Any] = [line[0] if len(line) == 1 else tuple(line) for line in some]
        for line, found in zip(some, broker.tokens(asked, min_ttl=options.min_ttl), strict=True):
            member = "problem" if isinstance(found, Refused) else "token"
            told = found.problem if isinstance(found, Refused) else members(found)
            yield as_json({"asked": " ".join(line), member: told})


def _pieces(lines: list[list[str]]) -> Iterator[list[list[str]]]:
    for begin in range(0, len(lines), MOST_IN_A_BATCH):
        yield lines[begin : begin + MOST_IN_A_BATCH]


def connections(broker: TokenBroker, options: argparse.Namespace, *, colour: bool) -> Command:
    found = broker.connections(tenant=options.tenant, provider=options.provider, state=options.state)
    rows = [members(one) for one in itertools.islice(found, options.limit)]
    yield from [as_json({"items": rows})] if options.json else table(rows, CONNECTION_COLUMNS, colour=colour)


def connection(broker: TokenBroker, options: argparse.Namespace, *, colour: bool) -> Command:
    found = members(broker.connection(options.id))
    if options.json:
        yield as_json(found)
        return
    timeline = found.pop("timeline", [])
    yield from listing(found, colour=colour)
    yield ""
    yield from table(timeline, ("at", "action", "actor"), colour=False)


def connect_link(broker: TokenBroker, options: argparse.Namespace, *, colour: bool) -> Command:
    found = broker.connect_link(
        options.tenant,
        options.provider,
        return_url=options.return_url,
        locale=options.locale,
        label=options.label,
        connection=options.connection,
    )
    yield as_json(found) if options.json else found.url


def disconnect(broker: TokenBroker, options: argparse.Namespace, *, colour: bool) -> Command:
    if not options.yes and not _agreed(f"End connection {options.id} and tell the provider? [y/N] "):
        raise ValueError("not done: it was not confirmed (--yes does not ask)")
    found = broker.disconnect(options.id)
    yield from [as_json(found)] if options.json else listing(found, colour=colour)


def tail(broker: TokenBroker, options: argparse.Namespace, *, colour: bool) -> Command:
    after = "" if options.after == "start" else options.after
    wait = None if options.no_follow else 20.0
    found = broker.events(after, types=options.type, tenant=options.tenant, connection=options.connection, wait=wait)
    for event in found:
        if options.json:
            yield as_json(event)
            continue
        told = [text_of(event.data[name]) for name in EVENT_COLUMNS if event.data.get(name)]
        yield "  ".join([text_of(event.timestamp), text_of(event.type).ljust(36), *told])


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from None


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
