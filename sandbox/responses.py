"""Authorization responses: what the browser carries back to the client, and how."""

from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from sandbox import pages
from sandbox.clients import Client
from sandbox.exchange import Reply, redirect
from sandbox.site import Site
from sandbox.state import Sandbox


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an authorization response goes: the client's own redirect URI, in this response mode."""

    site: Site
    client: Client
    redirect_uri: str
    response_mode: str
    state: str | None


def answer(sandbox: Sandbox, to: Destination, members: dict[str, str]) -> Reply:
    """An authorization response, carried by the browser.

    Source: RFC 6749 section 4.1.2, RFC 9207 section 2, OAuth 2.0 Multiple Response Types (query, fragment),
    OAuth 2.0 Form Post Response Mode.
    """
    if to.state is not None:
        members = {**members, "state": to.state}
    if to.client.settings.response_iss == "send":
        members = {**members, "iss": to.site.issuer(sandbox)}
    if to.client.settings.response_iss == "forge":
        members = {**members, "iss": "https://another-issuer.example"}
    if to.response_mode == "form_post":
        return pages.form_post(to.redirect_uri, members)
    parts = urlsplit(to.redirect_uri)
    if to.response_mode == "fragment":
        return redirect(urlunsplit(parts._replace(fragment=urlencode(members))))
    query = "&".join(filter(None, [parts.query, urlencode(members)]))
    return redirect(urlunsplit(parts._replace(query=query)))
