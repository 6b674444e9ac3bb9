"""The examples for gateways that no package of the distribution brings: asked for exactly what they would send.

docs/forward-auth.md says so. The one for nginx is run by tests/journeys/test_forward_auth.py.
"""

import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from broker.services import counts
from providers.registry import load_definitions
from tenants.models import IssueCount
from tests.people import PROVIDER

EXAMPLES = Path(__file__).resolve().parents[3] / "docs/examples"
TRAEFIK = tomllib.loads((EXAMPLES / "traefik/forward-auth.toml").read_text())["http"]
ENVOY = (EXAMPLES / "envoy/envoy.yaml").read_text()
NGINX = (EXAMPLES / "nginx/vendor-headers.conf").read_text()
ASKED = TRAEFIK["middlewares"]["acme-eaccounting-broker"]["forwardAuth"]
URI = "/customers?page=2&name=%C3%A5"


def patterns(name: str) -> list[str]:
    """The names that stand as `- exact:` beneath a key of Envoy's example."""
    found = re.search(rf"^( *){name}:\n\1  patterns:\n((?:\1  +- exact: .*\n)+)", ENVOY, re.MULTILINE)
    assert found, name
    return re.findall(r"- exact: (\S+)", found[2])


def environ(headers: dict[str, str]) -> dict[str, str]:
    """Headers as WSGI names them."""
    names = {name: name.upper().replace("-", "_") for name in headers}
    return {names[name] if name == "Content-Type" else f"HTTP_{names[name]}": headers[name] for name in headers}


@pytest.fixture
def service(settled):
    """What a service sends to its gateway."""
    key = f"Bearer {settled.aalto_key}"
    return {
        "X-Broker-Authorization": key,
        "Authorization": key,
        "Cookie": "session=of-the-service",
        "On-Behalf-Of": "user-1",
        "X-Original-URI": "/of-the-service",
    }


def test_traefik(connect, service, call, settled):
    connect()
    order = TRAEFIK["routers"]["acme-eaccounting"]["middlewares"]
    assert order.index("acme-eaccounting-strip") < order.index("acme-eaccounting-broker")
    sent = {name: value for name, value in service.items() if name in ASKED["authRequestHeaders"]}
    forwarded = {"Method": "GET", "Proto": "http", "Host": "gateway.example", "Uri": URI, "For": "192.0.2.7"}
    sent |= {f"X-Forwarded-{name}": value for name, value in forwarded.items()}
    path = urlsplit(ASKED["address"]).path.replace("/acme/", "/aalto/")
    answer = call("GET", path, **{"CONTENT_TYPE": "", **environ(sent)})
    assert (answer.status_code, answer.content) == (200, b"")
    upstream = {name: value for name, value in service.items() if name not in ASKED["authResponseHeaders"]}
    upstream |= {name: answer[name] for name in ASKED["authResponseHeaders"] if name in answer.headers}
    cleaned = TRAEFIK["middlewares"]["nothing-of-the-service"]["headers"]["customRequestHeaders"]
    upstream = {name: value for name, value in upstream.items() if cleaned.get(name) != ""}
    assert upstream == {"Authorization": token(call, settled), "X-Original-URI": "/of-the-service"}
    assert not ASKED["trustForwardHeader"]
    assert users() == {"user-1", ""}


def test_envoy(connect, service, call, settled):
    connect()
    removed = re.findall(r"^ *- remove: (\S+)$", ENVOY, re.MULTILINE)
    left = {name: value for name, value in service.items() if name.lower() not in removed}
    sent = {
        name: value for name, value in left.items() if name.lower() in [*patterns("allowed_headers"), "authorization"]
    }
    prefix = re.search(r"path_prefix: (\S+)", ENVOY)
    assert prefix
    # Envoy sends these by itself, and no body.
    own = {"CONTENT_LENGTH": "0", "CONTENT_TYPE": ""}
    answer = call("GET", f"{prefix[1]}/tenants/aalto/providers/{PROVIDER}{URI}", **own, **environ(sent))
    assert (answer.status_code, answer.content) == (200, b"")
    copied = {
        name: value for name, value in answer.headers.items() if name.lower() in patterns("allowed_upstream_headers")
    }
    gone = re.search(r"request_headers_to_remove: \[(.*)\]", ENVOY)
    assert gone
    upstream = {name: value for name, value in {**left, **copied}.items() if name.lower() not in gone[1].split(", ")}
    assert upstream == {"Authorization": token(call, settled), "X-Original-URI": "/of-the-service"}
    assert "failure_mode_allow: false" in ENVOY
    assert users() == {"user-1", ""}


def users() -> set[str]:
    """For whom there was read: the gateway for its service's user, and `token` for nobody."""
    counts.reads.flush()
    return set(IssueCount.objects.values_list("on_behalf_of", flat=True))


def token(call, settled) -> str:
    answer = call("GET", f"/v1/tenants/aalto/providers/{PROVIDER}/token", settled.aalto_key)
    return answer.json()["headers"]["Authorization"]


def test_a_refusal_reaches_the_service_through_envoy(connect, call):
    answer = call("GET", f"/v1/forward-auth/tenants/aalto/providers/{PROVIDER}{URI}", CONTENT_TYPE="")
    assert answer.status_code == 401
    assert {"content-type", "x-broker-code", "x-broker-action"} <= {name.lower() for name in answer.headers}
    assert {"content-type", "x-broker-code", "x-broker-action", "retry-after"} == set(
        patterns("allowed_client_headers")
    )


def test_all_examples_pass_the_same_headers_on():
    """That these are all there are is for the journey to find: it calls every provider with nginx's list."""
    names = re.findall(r"^proxy_set_header (\S+) \$vendor_", NGINX, re.MULTILINE)
    assert ASKED["authResponseHeaders"] == names
    assert patterns("allowed_upstream_headers") == [name.lower() for name in names]


def test_the_examples_lead_to_the_base_url_of_the_catalogue():
    base_url = load_definitions()[PROVIDER].environments["production"].api_base_url
    host, path = urlsplit(base_url).hostname, urlsplit(base_url).path
    assert f"address: {host}, port_value: 443" in ENVOY
    assert f"substitution: {path}\n" in ENVOY
    assert TRAEFIK["services"]["eaccounting"]["loadBalancer"]["servers"] == [{"url": f"https://{host}"}]
    assert TRAEFIK["middlewares"]["eaccounting-base-path"]["addPrefix"]["prefix"] == path
