"""The provider of this harness: the sandbox's token endpoint, with the traits that a scenario says it has."""

from pathlib import Path

PROVIDER = "chaos"
_TEXT = """\
id = "chaos"
display_name = "Chaos"
documentation = "https://provider.example/"
verified_on = 2026-11-21
grant_types_supported = ["authorization_code", "refresh_token"]
code_challenge_methods_supported = ["S256"]
token_endpoint_auth_methods_supported = ["client_secret_basic"]
required_scopes = ["ea:api", "offline_access"]
scopes_supported = [
    {{ name = "ea:api", description = "Use the interface on your behalf" }},
    {{ name = "offline_access", description = "Stay connected when you are not signed in" }},
]

[environments.local]
issuer = "{url}"
authorization_endpoint = "{url}/connect/authorize"
token_endpoint = "{url}/connect/token"
revocation_endpoint = "{url}/connect/revocation"
api_base_url = "{url}/v2"

[traits]
refresh_token_rotation = "always"
grace_seconds = {grace}
reuse_kills_family = true

[traits.evidence.refresh_token_rotation]
source = "the sandbox"
read_on = 2026-11-21
[traits.evidence.grace_seconds]
source = "the sandbox"
read_on = 2026-11-21
[traits.evidence.reuse_kills_family]
source = "the sandbox"
read_on = 2026-11-21
"""


def write(folder: Path, url: str, *, grace: int) -> None:
    """Describe a sandbox at this address, whose rotated refresh tokens may be sent for so many seconds more."""
    (folder / f"{PROVIDER}.toml").write_text(_TEXT.format(url=url, grace=grace))
