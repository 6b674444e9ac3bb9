"""The provider that measurements renew at: a catalogue entry whose endpoints are on this machine."""

import os
from pathlib import Path

PROVIDER = "bench"
# As eAccounting, whose refresh tokens rotate without grace, but for its rate limit: it would be what is measured.
_ENTRY = """
id = "bench"
based_on = "visma-eaccounting"
display_name = "Bench"
documentation = "https://provider.example/docs"
verified_on = 2026-11-21

[environments.local]
issuer = "{url}"
authorization_endpoint = "{url}/connect/authorize"
token_endpoint = "{url}/connect/token"
api_base_url = "{url}/v2"

[traits]
rate_limit_requests_per_minute = 100000
[traits.evidence.rate_limit_requests_per_minute]
source = "made up"
read_on = 2026-11-21
"""


def write(folder: Path, url: str) -> None:
    """Have the broker know the provider at this address. Effects: files, and this process's environment."""
    catalogue = folder / "catalogue"
    catalogue.mkdir()
    (catalogue / f"{PROVIDER}.toml").write_text(_ENTRY.format(url=url))
    os.environ["CATALOGUE_DIRECTORY"] = str(catalogue)
    os.environ["ESCROW_DIRECTORY"] = str(folder / "escrow")
