"""The hot routes below Django: what is asked for most would cost as much again in the framework.

Whatever is not exactly one of them goes on to Django, which has the same routes (`views`), so that nothing here has
to be complete: another method, a name that is not ASCII, a plain http request that has to be redirected.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from django.conf import settings

from broker.api import batch, headers, token
from broker.api.hot import Environ
from broker.api.reply import Reply, problem
from broker.errors import BrokerError
from broker.services import faults, rate_limits
from tenants.querysets import own_connection

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]
_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_BY_ID = {("GET", "token"): token.by_id, ("POST", "headers"): headers.by_id}
_BY_NAME = {("GET", "token"): token.by_name, ("POST", "headers"): headers.by_name}


class Front:
    """A WSGI application: answers the hot routes, and hands everything else to the one behind it."""

    def __init__(self, behind: Application) -> None:
        self._behind = behind
        self._headers = _fixed_headers()

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        found = _route(environ)
        if found is None or not _secure(environ):
            return self._behind(environ, start_response)
        reply = handled(*found, environ, own_connection.allow())
        start_response(_LINES[reply.status], reply.headers + self._headers)
        # A list and nothing else: the server sends it as it is, and takes anything else for a stream.
        return [reply.body]


def _route(environ: Environ) -> tuple[Callable[..., Reply], tuple[str, ...]] | None:
    path: str = environ["PATH_INFO"]
    if not path.startswith("/v1/") or environ.get("SCRIPT_NAME") or not path.isascii():
        return None
    parts, method = path[4:].split("/"), environ["REQUEST_METHOD"]
    if len(parts) == 3 and parts[0] == "connections" and parts[1]:
        handler = _BY_ID.get((method, parts[2]))
        return (handler, (parts[1],)) if handler else None
    if len(parts) == 5 and parts[0] == "tenants" and parts[2] == "providers" and parts[1] and parts[3]:
        by_name = _BY_NAME.get((method, parts[4]))
        return (by_name, (parts[1], parts[3])) if by_name else None
    return (batch.tokens, ()) if path == "/v1/tokens" and method == "POST" else None


def _secure(environ: Environ) -> bool:
    """Tell whether the request came over https as far as it has to."""
    if not settings.SECURE_SSL_REDIRECT:
        return True
    if settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        return bool(environ.get(name) == value)
    return bool(environ.get("wsgi.url_scheme") == "https")


def handled(handler: Callable[..., Reply], words: tuple[str, ...], environ: Environ, django: Any) -> Reply:
    """Return the handler's answer, or what refuses it. Effects: gives back `django`, this thread's connection."""
    rate_limits.note(None)
    try:
        return handler(environ, *words)
    except BrokerError as error:
        return problem(error)
    except Exception as error:
        return problem(faults.told_of(error))
    finally:
        # Only what was not fresh has taken Django's own.
        if django.connection is not None and not django.in_atomic_block:
            django.close()


def _fixed_headers() -> list[tuple[str, str]]:
    """What Django's SecurityMiddleware adds to every answer, as far as it concerns a program."""
    fixed = [("X-Content-Type-Options", "nosniff")]
    if settings.SECURE_HSTS_SECONDS:
        policy = f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains; preload"
        fixed.append(("Strict-Transport-Security", policy))
    return fixed
