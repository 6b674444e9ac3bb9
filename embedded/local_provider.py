"""The sandbox as one more environment of a catalogue provider."""

import time
from typing import Any

import httpx2

from embedded.errors import EmbeddedError
from embedded.home import Home
from embedded.processes import Child

PROVIDER = "visma-eaccounting"
ENVIRONMENT = "local"
START_SECONDS = 60.0
METADATA = "/.well-known/oauth-authorization-server"
ENDPOINTS = ("issuer", "authorization_endpoint", "token_endpoint", "revocation_endpoint", "userinfo_endpoint")
ISS = "authorization_response_iss_parameter_supported"


def read_metadata(base_url: str, child: Child) -> dict[str, Any]:
    """Return what the sandbox says about itself, once it answers.

    Source: RFC 8414 section 3.
    Raises: ProcessDied when it ended instead, EmbeddedError when it stays silent.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if not child.running:
            raise child.obituary()
        try:
            answer = httpx2.get(f"{base_url}{METADATA}", timeout=2, trust_env=False).raise_for_status()
        except httpx2.HTTPError:
            time.sleep(0.05)
            continue
        found: dict[str, Any] = answer.json()
        return found
    raise EmbeddedError(f"The sandbox does not answer at {base_url} after {START_SECONDS:.0f} s; see {child.log}")


def write_catalogue(home: Home, metadata: dict[str, Any]) -> None:
    """Add the environment to the catalogue that the broker reads at its start."""
    lines = [f'extends = "{PROVIDER}"', "", f"[environments.{ENVIRONMENT}]"]
    lines += [f'{name} = "{metadata[name]}"' for name in ENDPOINTS if name in metadata]
    lines += [f'api_base_url = "{metadata["issuer"]}/v2"', f"{ISS} = {str(metadata.get(ISS, False)).lower()}"]
    path = home.root / "catalogue" / f"{PROVIDER}-{ENVIRONMENT}.toml"
    path.write_text("\n".join(lines) + "\n")
