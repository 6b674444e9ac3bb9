"""A provider of the catalogue whose hosts are a scripted peer, and what the peer received."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from msgspec.structs import replace

from providers.messages import ClientRegistration, EnteredCredential, Secret
from providers.outbound import Outbound
from providers.registry import AnyProvider, load_definitions, make_provider
from tests.providers.peer import Peer, Script, answer

_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "revocation_endpoint", "userinfo_endpoint", "api_base_url")
CLIENT_SECRET = "s3cret"


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire; header names as they were sent."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: str

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, strict_parsing=True))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body, strict_parsing=True))


def received(peer: Peer) -> list[Received]:
    """Every request, in order."""
    return [_received(data) for data in peer.requests]


def json_answers(*answers: tuple[str, Any]) -> Script:
    """The script that gives each request the next status and JSON body; text goes as it is."""
    bodies = [(status, body if isinstance(body, str) else json.dumps(body)) for status, body in answers]

    def script(connection: socket.socket, peer: Peer) -> None:
        status, body = bodies[len(peer.requests)]
        peer.read_request(connection)
        connection.sendall(answer(status, body.encode()))

    return script


def at_peer(provider_id: str, outbound: Outbound, url: str, environment: str = "production") -> AnyProvider:
    """The provider with one environment's hosts exchanged for the peer's; every path stays."""
    definition = load_definitions()[provider_id]
    there = definition.environments[environment]
    moved = {key: _moved(getattr(there, key), url) for key in _ENDPOINTS if getattr(there, key)}
    local = replace(there, **moved, api_hosts=())
    return make_provider(replace(definition, environments={environment: local}), outbound, True)


def registration(
    provider_id: str,
    *,
    environment: str = "production",
    client_id: str = "isv_client",
    scopes: Sequence[str] = (),
    parameters: Mapping[str, str] | None = None,
    method: str | None = None,
) -> ClientRegistration:
    return ClientRegistration(
        provider_id=provider_id,
        environment=environment,
        client_id=client_id,
        client_secrets=(Secret(CLIENT_SECRET),),
        scopes=tuple(scopes),
        parameters=parameters or {},
        token_endpoint_auth_method=method,
    )


def entered(**fields: str) -> EnteredCredential:
    return EnteredCredential(fields={name: Secret(value) for name, value in fields.items()})


def _moved(endpoint: str, url: str) -> str:
    return url + urlsplit(endpoint).path


def _received(data: bytes) -> Received:
    head, _, body = data.partition(b"\r\n\r\n")
    line, *headers = head.decode("ascii").split("\r\n")
    method, target, _ = line.split(" ")
    return Received(method, target, dict(header.split(": ", 1) for header in headers), body.decode())
