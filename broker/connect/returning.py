"""The way back to the tenant: only ever to the address that the session was made with."""

from urllib.parse import urlencode, urlsplit, urlunsplit

from tenants.models import ConnectSession


def address(session: ConnectSession) -> str:
    """Return the session's return URL while it is still on the tenant's list, else nothing."""
    url = session.return_url
    listed = url in session.tenant.return_urls and urlsplit(url).scheme in ("https", "http")
    return url if listed else ""


def link(session: ConnectSession, status: str) -> str:
    """Return the address with `connect_session` and `status` behind its own query, else nothing."""
    url = address(session)
    if not url:
        return ""
    parts = urlsplit(url)
    ours = urlencode({"connect_session": str(session.id), "status": status})
    return urlunsplit(parts._replace(query=f"{parts.query}&{ours}" if parts.query else ours))


def origin(session: ConnectSession) -> str:
    """Return the one origin that a popup's result is posted to, else nothing. Source: RFC 9700 section 4.17."""
    parts = urlsplit(address(session))
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
