"""A trusted issuer, as the command makes it."""

from broker.services import issuers
from tenants.models import TrustedIssuer
from tests.fakes.issuer import AUDIENCE, ISSUER
from tests.people import STAFF

JWKS_URI = "https://issuer.example/keys"


def trusted_issuer() -> TrustedIssuer:
    terms = {"issuer": ISSUER, "audience": AUDIENCE, "algorithms": ["RS256"], "jwks_uri": JWKS_URI}
    return issuers.trust("cluster", **terms, actor=STAFF)
