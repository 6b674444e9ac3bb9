"""What a catalogue file has to say of each provider to have an environment on this sandbox."""

from typing import Any

Environment = dict[str, str | bool]
ISS = "authorization_response_iss_parameter_supported"

_EACCOUNTING: Environment = {
    "issuer": "",
    "authorization_endpoint": "/connect/authorize",
    "token_endpoint": "/connect/token",
    "revocation_endpoint": "/connect/revocation",
    "userinfo_endpoint": "/connect/userinfo",
    "api_base_url": "/v2",
}
_VISMA_CONNECT: Environment = {
    "issuer": "/visma-connect",
    "authorization_endpoint": "/visma-connect/connect/authorize",
    "token_endpoint": "/visma-connect/connect/token",
    "revocation_endpoint": "/visma-connect/connect/revocation",
    "userinfo_endpoint": "/visma-connect/connect/userinfo",
    ISS: True,
}
_VISMA_CONNECT_SERVICE: Environment = {
    "issuer": "/visma-connect",
    "token_endpoint": "/visma-connect/connect/token",
}
# Every text is a path on the sandbox; the key is the provider's id.
PATHS: dict[str, Environment] = {
    "visma-eaccounting": _EACCOUNTING,
    "netvisor": {"api_base_url": "/netvisor"},
    "fivaldi": {"api_base_url": "/fivaldi/customer/api"},
    "maventa-payslip": {"api_base_url": "/payslip"},
    "e-conomic": {"api_base_url": "/e-conomic"},
    "visma-connect": {**_VISMA_CONNECT, "api_base_url": "/visma-net-erp"},
    "visma-connect-service": {**_VISMA_CONNECT_SERVICE, "api_base_url": "/visma-net-erp"},
    "visma-net-erp": {**_VISMA_CONNECT, "api_base_url": "/visma-net-erp"},
    "visma-net-erp-service": {**_VISMA_CONNECT_SERVICE, "api_base_url": "/visma-net-erp"},
    "business-nxt": {**_VISMA_CONNECT, "api_base_url": "/business-nxt/api"},
    "business-nxt-service": {**_VISMA_CONNECT_SERVICE, "api_base_url": "/business-nxt/api"},
    "dinero": {**_VISMA_CONNECT, "api_base_url": "/dinero/v1"},
    "yuki": {**_VISMA_CONNECT, "api_base_url": "/yuki/api/v1"},
    "visma-net": {
        "issuer": "/visma-net",
        "authorization_endpoint": "/visma-net/API/resources/oauth/authorize",
        "token_endpoint": "/visma-net/API/security/api/v2/token",
        "api_base_url": "/visma-net/API",
    },
    "maventa": {"token_endpoint": "/maventa/oauth2/token", "api_base_url": "/maventa"},
    "maventa-operator": {"token_endpoint": "/maventa/oauth2/token", "api_base_url": "/maventa"},
    "tripletex": {"token_endpoint": "/tripletex/v2/token/session/:create", "api_base_url": "/tripletex/v2"},
    "severa": {"token_endpoint": "/severa/rest-api/v1/token", "api_base_url": "/severa/rest-api/v1"},
    "procountor": {"token_endpoint": "/procountor/api/oauth/token", "api_base_url": "/procountor/api"},
}


def environments(url: str, *, send_iss: bool = False) -> dict[str, Any]:
    """By provider id, the keys of an `[environments.<name>]` table whose endpoints are on this sandbox.

    `send_iss` is the sandbox's option of that kind, which is eAccounting's alone.
    """
    found = {provider: _absolute(url, paths) for provider, paths in PATHS.items()}
    found["visma-eaccounting"][ISS] = send_iss
    return found


def _absolute(url: str, paths: Environment) -> Environment:
    return {key: value if isinstance(value, bool) else url + value for key, value in paths.items()}
