"""The paths of one site's sign-in pages."""

from collections.abc import Callable
from functools import partial

from sandbox import consent, signin
from sandbox.exchange import Exchange, Reply
from sandbox.pipeline import Endpoint
from sandbox.site import Site
from sandbox.state import Sandbox

Page = Callable[[Site, Sandbox, Exchange], Reply]
SHOWN: dict[str, tuple[str, Page]] = {
    "sign-in": ("sign_in", signin.show_sign_in),
    "company": ("company", signin.show_company),
    "consent": ("consent", signin.show_consent),
}
TAKEN: dict[str, tuple[str, Page]] = {
    "sign-in": ("sign_in", signin.take_sign_in),
    "company": ("company", signin.take_company),
    "consent": ("consent", consent.take_consent),
}


def shown(site: Site) -> dict[str, Endpoint]:
    """The pages, by path."""
    return _routes(site, SHOWN, "GET")


def taken(site: Site) -> dict[str, Endpoint]:
    """What the pages' forms lead to, by path."""
    return _routes(site, TAKEN, "POST")


def _routes(site: Site, table: dict[str, tuple[str, Page]], method: str) -> dict[str, Endpoint]:
    return {
        f"{site.base}/account/{place}/{{walk}}": Endpoint(site.endpoint(name), partial(page, site), (method,))
        for place, (name, page) in table.items()
    }
