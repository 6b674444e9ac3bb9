"""The only reader of the environment.

Every variable is declared in SCHEME with its type and default; one without default must be given. `NAME_FILE` may hold
the path of a file with the value instead. Units are in the names. docs/settings.md says what each means.
"""

import logging
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from broker.environment import Environment, refuse

BASE_DIR = Path(__file__).resolve().parent.parent

REQUIRED: dict[str, type] = {
    "BROKER_ENVIRONMENT": str,
    "SECRET_KEY": str,
    "PUBLIC_URL": str,
    "DATABASE_URL": str,
    "REDIS_URL": str,
    "KEYRING": str,
}
OPTIONAL: dict[str, tuple[type, Any]] = {
    "DEMO": (bool, False),
    "DEBUG": (bool, False),
    "ALLOWED_HOSTS": (list, []),
    "TRUSTED_PROXY": (bool, False),
    "STATIC_ROOT": (str, str(BASE_DIR / "staticfiles")),
    "DATABASE_POOL_SIZE": (int, 10),
    "DATABASE_STATEMENT_TIMEOUT_SECONDS": (int, 5),
    "CATALOGUE_DIRECTORY": (str, ""),
    "OUTBOUND_CONNECT_TIMEOUT_SECONDS": (float, 3.0),
    "OUTBOUND_TIMEOUT_SECONDS": (float, 15.0),
    "RENEWAL_LEASE_SECONDS": (float, 30.0),
    "RENEWAL_SWEEP_SECONDS": (float, 5.0),
    "RENEWAL_POLL_SECONDS": (float, 15.0),
    "RENEWAL_BATCH": (int, 50),
    "RENEWAL_CONCURRENCY": (int, 128),
    "RENEWAL_REAP_SECONDS": (float, 1.0),
    "ESCROW_DIRECTORY": (str, str(BASE_DIR / "var" / "escrow")),
    "RENEWAL_CONFIRM_SECONDS": (float, 30.0),
    "TOKEN_WAIT_SECONDS": (float, 5.0),
    "TOKEN_MAX_MIN_TTL_SECONDS": (int, 900),
    "CALLER_RATE_PER_MINUTE": (int, 60_000),
    "API_KEY_MAX_DAYS": (int, 180),
    "KEY_TRUSTED_SECONDS": (float, 1.0),
    "ISSUE_COUNT_FLUSH_SECONDS": (float, 5.0),
    "AUDIT_RETENTION_DAYS": (int, 400),
    "CONNECT_SESSION_SECONDS": (int, 1800),
    "AUTHORIZATION_REQUEST_SECONDS": (int, 600),
    "CONNECT_MAX_STARTS": (int, 10),
    "WEBHOOK_ALLOWED_NETWORKS": (list, []),
    "WEBHOOK_TIMEOUT_SECONDS": (float, 15.0),
    "WEBHOOK_CONCURRENCY": (int, 32),
    "EVENTS_KEPT_DAYS": (int, 30),
    "LOG_LEVEL": (str, "INFO"),
}
SCHEME: dict[str, Any] = {**REQUIRED, **OPTIONAL}

env = Environment(**SCHEME)


# -- identity and hosts ------------------------------------------------------------------------------------------
BROKER_ENVIRONMENT: str = env.required("BROKER_ENVIRONMENT")
DEMO: bool = env("DEMO")
DEBUG: bool = env("DEBUG")
SECRET_KEY: str = env.required("SECRET_KEY")
PUBLIC_URL: str = env.required("PUBLIC_URL").rstrip("/")
TRUSTED_PROXY: bool = env("TRUSTED_PROXY")

if not re.fullmatch(r"[A-Za-z0-9]{1,16}", BROKER_ENVIRONMENT):
    refuse("BROKER_ENVIRONMENT must be one word of at most 16 letters and digits: it becomes part of every API key")
if not re.fullmatch(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?", PUBLIC_URL):
    refuse("PUBLIC_URL must be the broker's own address, scheme and host and nothing more: https://broker.example")
_public = urlsplit(PUBLIC_URL)
if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 10:
    refuse("SECRET_KEY is too short: give at least 50 random characters")
if DEBUG and not DEMO:
    refuse("DEBUG is refused outside the demo: its pages show settings and local variables")
if _public.scheme != "https" and not (DEMO and _public.hostname in ("127.0.0.1", "localhost")):
    refuse("PUBLIC_URL must be https; plain http is for the demo on a loopback address only")

ALLOWED_HOSTS: list[str] = env("ALLOWED_HOSTS") or [str(_public.hostname)]
ROOT_URLCONF = "broker.urls"
WSGI_APPLICATION = "broker.wsgi.application"
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]

# -- applications ------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "ninja",
    "tenants.apps.TenantsConfig",
    "broker.apps.BrokerConfig",
]
# The page-only ones skip /v1/: the machine API carries no session, and each layer would cost every token read.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "broker.middleware.PageStatic",
    "broker.middleware.PageSession",
    "broker.middleware.PageLocale",
    "broker.middleware.PageCsrf",
    "broker.middleware.PageAuthentication",
    "broker.middleware.PageMessages",
    "broker.middleware.response_headers",
]
# Django looks for its own two classes by name; PageCsrf is one of them, and response_headers does the other's work.
SILENCED_SYSTEM_CHECKS = ["security.W002", "security.W003"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
STATIC_ROOT = env("STATIC_ROOT")
STATICFILES_DIRS = [BASE_DIR / "static"]
# Production serves hashed files made by collectstatic; the demo serves the source files, so that it needs no such step.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEMO
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEMO
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 262_144
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fi", "Suomi"), ("sv", "Svenska"), ("nb", "Norsk"), ("da", "Dansk")]
LOCALE_PATHS = [BASE_DIR / "locale"]

# -- transport and cookies ---------------------------------------------------------------------------------------
_SECURE = _public.scheme == "https"
SECURE_SSL_REDIRECT = _SECURE
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if _SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _SECURE
SECURE_HSTS_PRELOAD = _SECURE
SECURE_REFERRER_POLICY = "no-referrer"
# A connect page may be opened as a popup by the tenant's own page, which waits for its result.
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin-allow-popups"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY else None
X_FRAME_OPTIONS = "DENY"
# The __Host- prefix makes browsers refuse the cookie unless it is Secure, host-only and for the whole path.
COOKIE_PREFIX = "__Host-" if _SECURE else "demo-"
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}session"
SESSION_COOKIE_SECURE = _SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = int(timedelta(hours=10).total_seconds())
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrf"
CSRF_COOKIE_SECURE = _SECURE
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "broker.connect.failures.csrf_failure"

# -- database ----------------------------------------------------------------------------------------------------
DATABASES = {"default": env.database("DATABASE_URL")}
_options = DATABASES["default"].setdefault("OPTIONS", {})
_options["pool"] = {"min_size": 1, "max_size": env("DATABASE_POOL_SIZE"), "timeout": 10}
_options["prepare_threshold"] = 2
# A server that vanished without a word is noticed within seconds, not after the kernel's quarter of an hour.
_LIVELINESS = {"connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
_options |= {**_LIVELINESS, "tcp_user_timeout": 10_000, **_options}
_options["options"] = " ".join(
    [
        f"-c statement_timeout={env('DATABASE_STATEMENT_TIMEOUT_SECONDS')}s",
        "-c idle_in_transaction_session_timeout=10s",
        "-c lock_timeout=2s",
    ]
)

# -- keys --------------------------------------------------------------------------------------------------------
KEYRING: str = env.required("KEYRING")

# -- providers and outbound limits -------------------------------------------------------------------------------
CATALOGUE_DIRECTORY: str = env("CATALOGUE_DIRECTORY")
ALLOW_LOOPBACK_PROVIDERS = DEMO
OUTBOUND_CONNECT_TIMEOUT_SECONDS: float = env("OUTBOUND_CONNECT_TIMEOUT_SECONDS")
OUTBOUND_TIMEOUT_SECONDS: float = env("OUTBOUND_TIMEOUT_SECONDS")

# -- renewal, tokens, connect pages ------------------------------------------------------------------------------
RENEWAL_LEASE_SECONDS: float = env("RENEWAL_LEASE_SECONDS")
RENEWAL_SWEEP_SECONDS: float = env("RENEWAL_SWEEP_SECONDS")
RENEWAL_POLL_SECONDS: float = env("RENEWAL_POLL_SECONDS")
RENEWAL_BATCH: int = env("RENEWAL_BATCH")
RENEWAL_CONCURRENCY: int = env("RENEWAL_CONCURRENCY")
RENEWAL_REAP_SECONDS: float = env("RENEWAL_REAP_SECONDS")
RENEWAL_CONFIRM_SECONDS: float = env("RENEWAL_CONFIRM_SECONDS")
ESCROW_DIRECTORY: str = env("ESCROW_DIRECTORY")
TOKEN_WAIT_SECONDS: float = env("TOKEN_WAIT_SECONDS")
TOKEN_MAX_MIN_TTL_SECONDS: int = env("TOKEN_MAX_MIN_TTL_SECONDS")
CALLER_RATE_PER_MINUTE: int = env("CALLER_RATE_PER_MINUTE")
API_KEY_MAX_DAYS: int = env("API_KEY_MAX_DAYS")
KEY_TRUSTED_SECONDS: float = env("KEY_TRUSTED_SECONDS")
ISSUE_COUNT_FLUSH_SECONDS: float = env("ISSUE_COUNT_FLUSH_SECONDS")
AUDIT_RETENTION_DAYS: int = env("AUDIT_RETENTION_DAYS")
CONNECT_SESSION_SECONDS: int = env("CONNECT_SESSION_SECONDS")
AUTHORIZATION_REQUEST_SECONDS: int = env("AUTHORIZATION_REQUEST_SECONDS")
CONNECT_MAX_STARTS: int = env("CONNECT_MAX_STARTS")
if not 1 <= API_KEY_MAX_DAYS <= 180:
    refuse("API_KEY_MAX_DAYS is from 1 to 180: a key that nobody replaces must end by itself")
if not 0 <= KEY_TRUSTED_SECONDS <= 5:
    refuse("KEY_TRUSTED_SECONDS is from 0 to 5: a revoked key must be refused everywhere within five seconds")
if AUDIT_RETENTION_DAYS < 2:
    refuse("AUDIT_RETENTION_DAYS must be 2 at least: only days that are closed can go")
if RENEWAL_LEASE_SECONDS < OUTBOUND_TIMEOUT_SECONDS + 5:
    refuse("RENEWAL_LEASE_SECONDS must exceed OUTBOUND_TIMEOUT_SECONDS by 5: a lease must outlive its own request")

# -- events ------------------------------------------------------------------------------------------------------
WEBHOOK_ALLOWED_NETWORKS: list[str] = env.networks("WEBHOOK_ALLOWED_NETWORKS")
WEBHOOK_TIMEOUT_SECONDS: float = env("WEBHOOK_TIMEOUT_SECONDS")
WEBHOOK_CONCURRENCY: int = env("WEBHOOK_CONCURRENCY")
EVENTS_KEPT_DAYS: int = env("EVENTS_KEPT_DAYS")

# -- Celery ------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.celery_broker("REDIS_URL")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 100
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 600}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "broker.tasks.sweep_due", "schedule": timedelta(seconds=RENEWAL_SWEEP_SECONDS)},
    "purge": {"task": "broker.tasks.purge_ended", "schedule": timedelta(hours=1)},
    "watch_keys": {"task": "broker.tasks.watch_keys", "schedule": timedelta(seconds=15)},
    # A day is closed once, and a round that finds none to close is three short queries.
    "audit_days": {"task": "broker.tasks.close_audit_days", "schedule": timedelta(minutes=10)},
    "end_tenants": {"task": "broker.tasks.end_tenants", "schedule": timedelta(minutes=1)},
    # More often than the daily thresholds need: a beat that is restarted each night starts counting anew each time.
    "forecast": {"task": "broker.tasks.forecast_ends", "schedule": timedelta(hours=6)},
}

# -- logging -----------------------------------------------------------------------------------------------------
LOG_LEVEL: str = env("LOG_LEVEL").upper()
if LOG_LEVEL not in logging.getLevelNamesMapping():
    refuse("LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"event": {"()": "broker.logs.EventFormatter"}},
    "handlers": {"out": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "event"}},
    "root": {"handlers": ["out"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.request": {"level": "ERROR"},
        "httpx2": {"level": "WARNING"},
        # One line a task each, thrice: at a sweep every few seconds they would bury what matters.
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "httpcore2": {"level": "WARNING"},
    },
}
