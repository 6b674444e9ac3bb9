"""What the sandbox says of its environments is what a catalogue needs, and leads to its systems."""

from pathlib import Path

import httpx2
import pytest

from providers.registry import load_definitions
from sandbox.environments import PATHS
from sandbox.systems import SYSTEMS
from tests.fakes.sandbox import SandboxProcess

ENDPOINTS = ("authorization_endpoint", "token_endpoint", "revocation_endpoint", "userinfo_endpoint")


def test_every_provider_of_the_catalogue_has_an_environment_here(sandbox: SandboxProcess, tmp_path: Path) -> None:
    folder = sandbox.write_local_catalogue(tmp_path / "catalogue")
    definitions = load_definitions(folder, allow_loopback=True)
    there = {name: one.environments["local"].api_base_url for name, one in definitions.items()}
    assert [name for name, url in there.items() if not url.startswith(sandbox.url)] == []
    assert set(definitions) == set(PATHS)


@pytest.mark.parametrize("provider", PATHS)
def test_every_endpoint_of_an_environment_is_served(
    sandbox: SandboxProcess, http: httpx2.Client, provider: str
) -> None:
    environment = sandbox.control("GET", "environments")[provider]
    for name in ENDPOINTS:
        if name in environment:
            http.get(environment[name])
            assert sandbox.log()[-1]["decision"] != "not_found", environment[name]


@pytest.mark.parametrize("provider", PATHS)
def test_something_is_served_beneath_every_base_url(provider: str) -> None:
    base = f"{PATHS[provider]['api_base_url']}/"
    assert [path for system in SYSTEMS for path in system.routes if path.startswith(base)]


def test_eaccounting_is_where_its_metadata_says(sandbox: SandboxProcess, http: httpx2.Client) -> None:
    environment = sandbox.control("GET", "environments")["visma-eaccounting"]
    metadata = http.get(f"{sandbox.url}/.well-known/openid-configuration").json()
    assert {name: metadata.get(name) for name in environment if name != "api_base_url"} == {
        name: value for name, value in environment.items() if name != "api_base_url"
    }
