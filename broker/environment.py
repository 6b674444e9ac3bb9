"""How the settings read one variable: strictly, and without ever showing its value.

django-environ takes `$NAME` for another variable, `maybe` for false and `1e3` for 13, and its complaints hold what it
could not read. Here a bad value is refused in a sentence that names the variable alone.
"""

import ipaddress
import math
import warnings
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_EXPECTED = {bool: "true or false", int: "a whole number above 0", float: "a number above 0"}
_MAY_BE_ZERO = frozenset(("TOKEN_WAIT_SECONDS", "RENEWAL_CONFIRM_SECONDS"))
_POSTGRESQL = "django.db.backends.postgresql"
# Celery knows neither Valkey's own scheme nor the name that redis-py and people use for a socket.
_CELERY_SCHEMES = {
    "redis": "redis",
    "rediss": "rediss",
    "valkey": "redis",
    "valkeys": "rediss",
    "unix": "redis+socket",
    "redis+socket": "redis+socket",
}


def refuse(problem: str) -> NoReturn:
    """Raise what every start-up of Django ends with."""
    # The cause holds what could not be read, which may be a secret.
    raise ImproperlyConfigured(problem) from None


class Environment(environ.FileAwareEnv):  # type: ignore[misc]  # the package has no types
    """The variables of a scheme. `NAME_FILE` may hold the path of a file with the value instead."""

    def get_value(self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, **rest: Any) -> Any:
        """Return the value in its declared type. Raises ImproperlyConfigured."""
        try:
            if str(self.ENVIRON.get(var, "")).startswith("$"):
                refuse(f"{var} must not start with a dollar sign: it would be taken for another variable's name")
            value = super().get_value(var, cast=cast, default=default, **rest)
        except (OSError, UnicodeDecodeError) as error:
            refuse(f"{var}_FILE cannot be read: {type(error).__name__}")
        except ValueError:
            refuse(f"{var} must be {self._expected(var)}")
        except ImproperlyConfigured as error:
            refuse(str(error))
        if isinstance(value, int | float) and not isinstance(value, bool) and not _in_range(var, value):
            refuse(f"{var} must be {self._expected(var)}")
        return value

    @classmethod
    def parse_value(cls, value: str, cast: Any) -> Any:
        """Raises ValueError."""
        text = value.strip()  # a file ends with a newline
        if cast is bool:
            return _boolean(text)
        if cast is float:
            return float(text)
        if cast is list:
            return [item.strip() for item in text.split(",") if item.strip()]
        return super().parse_value(text, cast)

    def required(self, var: str) -> str:
        """Return a text that must not be empty. Raises ImproperlyConfigured."""
        value: str = self(var)
        return value or refuse(f"Set the {var} environment variable: it is empty")

    def database(self, var: str) -> dict[str, Any]:
        """Return Django's settings for a postgres:// address; a socket is `?host=/folder`, or `//%2Ffolder/`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package's warnings show the address, password included
            try:
                config: dict[str, Any] = self.db_url_config(self.required(var))
            except ValueError:
                refuse(f"{var} is not an address of the form postgres://user@host:port/name")
        if config.get("ENGINE") != _POSTGRESQL:
            refuse(f"{var} must be a postgres:// address: PostgreSQL is the only supported database")
        config["HOST"] = unquote(config["HOST"])
        return config

    def networks(self, var: str) -> list[str]:
        """Return a list of address ranges, each good for `ipaddress`."""
        found: list[str] = self(var)
        try:
            return [str(ipaddress.ip_network(each)) for each in found]
        except ValueError:
            refuse(f"{var} must be address ranges such as 10.20.0.0/16, with commas between them")

    def celery_broker(self, var: str) -> str:
        """Return Celery's form of a Redis address: `unix:///path?db=1` is its `redis+socket:///path?virtual_host=1`."""
        try:
            parts = urlsplit(self.required(var))
        except ValueError:
            refuse(f"{var} is not an address")
        scheme = _CELERY_SCHEMES.get(parts.scheme)
        if scheme is None:
            refuse(f"{var} must start with one of {', '.join(name + '://' for name in _CELERY_SCHEMES)}")
        if scheme != "redis+socket":
            return parts._replace(scheme=scheme).geturl()
        query = [("virtual_host" if name == "db" else name, value) for name, value in parse_qsl(parts.query)]
        login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return f"{scheme}://{login}{parts.path}" + (f"?{urlencode(query)}" if query else "")

    def _expected(self, var: str) -> str:
        declared = self.scheme.get(var, str)
        kind = declared[0] if isinstance(declared, tuple) else declared
        return _EXPECTED.get(kind, "text in UTF-8")


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError("not a boolean")
    return _BOOLEANS[text.lower()]


def _in_range(var: str, value: float) -> bool:
    return math.isfinite(value) and (value > 0 or (value == 0 and var in _MAY_BE_ZERO))
