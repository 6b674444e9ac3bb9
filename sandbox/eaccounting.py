"""eAccounting: the paths of its authorization server, its sign-in pages and its API."""

from sandbox import api, metadata, revocation, site_routes, token_endpoint
from sandbox.authorize import AuthorizationEndpoint
from sandbox.eaccounting_site import SITE, judge
from sandbox.pipeline import Endpoint
from sandbox.system import System

GET, POST = ("GET",), ("POST",)

SYSTEM = System(
    "eaccounting",
    {
        "/.well-known/openid-configuration": Endpoint("metadata", metadata.metadata, GET),
        "/.well-known/oauth-authorization-server": Endpoint("metadata", metadata.metadata, GET),
        "/.well-known/openid-configuration/jwks": Endpoint("jwks", metadata.jwks, GET),
        "/connect/authorize": Endpoint("authorize", AuthorizationEndpoint(SITE, judge), GET),
        "/connect/token": Endpoint("token", token_endpoint.token, POST, token_endpoint.identify),
        "/connect/revocation": Endpoint("revocation", revocation.revocation, POST, revocation.identify),
        "/connect/userinfo": Endpoint("userinfo", api.userinfo, (*GET, *POST)),
        "/v2/companysettings": Endpoint("companysettings", api.companysettings, GET),
        "/v2/customers": Endpoint("customers", api.customers, GET),
        **site_routes.shown(SITE),
    },
    posts=site_routes.taken(SITE),
)
