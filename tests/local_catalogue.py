"""Point the catalogue's eAccounting at a sandbox process, by an extra catalogue file as an operator would."""

from pathlib import Path

TEMPLATE = """
extends = "visma-eaccounting"

[environments.local]
issuer = "{url}"
authorization_endpoint = "{url}/connect/authorize"
token_endpoint = "{url}/connect/token"
revocation_endpoint = "{url}/connect/revocation"
userinfo_endpoint = "{url}/connect/userinfo"
api_base_url = "{url}/v2"
"""


def write(folder: Path, sandbox_url: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "visma-eaccounting-local.toml").write_text(TEMPLATE.format(url=sandbox_url))
    return folder
