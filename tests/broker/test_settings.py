"""Starting is refused, in a sentence that names the variable and shows no value, when a setting is unsafe."""

import base64
import json
import os
import runpy
import subprocess
import traceback
from functools import cache

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from broker import settings
from broker.environment import Environment
from broker.settings import OPTIONAL, REQUIRED, SCHEME
from tests.production import ENVIRONMENT, KEYRING, run

READ = ("-c", "from django.conf import settings; settings.DEBUG")
ANOTHER_KEY = KEYRING.partition(":")[2]


def refused(process: subprocess.CompletedProcess[str]) -> str:
    """The last line of a refusal, with nothing before it but the traceback of one exception."""
    assert process.returncode != 0, process.stdout
    assert process.stderr.count("Traceback") <= 1
    for secret in (ENVIRONMENT["SECRET_KEY"], ANOTHER_KEY, "database-password"):
        assert secret not in process.stdout + process.stderr
    return process.stderr.strip().rpartition("ImproperlyConfigured: ")[2]


def read_anew(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]) -> dict[str, object]:
    """Run the settings file in this process with the production environment and these changes."""
    for name in (*SCHEME, *(f"{name}_FILE" for name in SCHEME)):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**ENVIRONMENT, **changes}.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(settings.__file__)


class TestRefusals:
    @pytest.mark.parametrize("name", sorted(REQUIRED))
    def test_each_required_variable_is_named_when_it_is_missing(self, name):
        assert refused(run(*READ, **{name: None})) == f"Set the {name} environment variable"

    @pytest.mark.parametrize("name", sorted(REQUIRED))
    def test_an_empty_one_is_as_good_as_missing(self, name, monkeypatch):
        monkeypatch.setenv(name, " \n")
        with pytest.raises(ImproperlyConfigured, match=f"Set the {name} environment variable: it is empty"):
            Environment(**SCHEME).required(name)

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"SECRET_KEY": "x" * 49}, "SECRET_KEY is too short"),
            ({"SECRET_KEY": "x" * 80}, "SECRET_KEY is too short"),
            ({"SECRET_KEY": "$" + "abcdefghijklmn" * 5}, "SECRET_KEY must not start with a dollar sign"),
            ({"DEBUG": "true"}, "DEBUG is refused outside the demo"),
            ({"DEMO": "maybe"}, "DEMO must be true or false"),
            ({"PUBLIC_URL": "http://broker.example"}, "PUBLIC_URL must be https"),
            ({"PUBLIC_URL": "http://127.0.0.1:8000"}, "PUBLIC_URL must be https"),
            ({"PUBLIC_URL": "http://broker.example", "DEMO": "true"}, "PUBLIC_URL must be https"),
            ({"PUBLIC_URL": "https://"}, "PUBLIC_URL must be the broker's own address"),
            ({"PUBLIC_URL": "https://user@broker.example"}, "PUBLIC_URL must be the broker's own address"),
            ({"PUBLIC_URL": "https://broker.example/?a"}, "PUBLIC_URL must be the broker's own address"),
            ({"BROKER_ENVIRONMENT": "my env"}, "BROKER_ENVIRONMENT must be one word"),
            ({"BROKER_ENVIRONMENT": "tuotanto_ä"}, "BROKER_ENVIRONMENT must be one word"),
            ({"BROKER_ENVIRONMENT": "a" * 17}, "BROKER_ENVIRONMENT must be one word"),
            ({"DATABASE_URL": "sqlite:///db.sqlite3"}, "PostgreSQL is the only supported database"),
            ({"DATABASE_URL": "mysql://root@db/x"}, "PostgreSQL is the only supported database"),
            ({"DATABASE_URL": "nonsense"}, "PostgreSQL is the only supported database"),
            ({"DATABASE_URL": "postgres://u:hidden-word@h:port/x"}, "DATABASE_URL is not an address of the form"),
            ({"REDIS_URL": "amqp://guest@mq"}, "REDIS_URL must start with one of redis://"),
            ({"API_KEY_MAX_DAYS": "181"}, "API_KEY_MAX_DAYS is from 1 to 180"),
            ({"KEY_TRUSTED_SECONDS": "6"}, "KEY_TRUSTED_SECONDS is from 0 to 5"),
            ({"RENEWAL_LEASE_SECONDS": "19.9"}, "RENEWAL_LEASE_SECONDS must exceed OUTBOUND_TIMEOUT_SECONDS by 5"),
            ({"OUTBOUND_TIMEOUT_SECONDS": "25.1"}, "RENEWAL_LEASE_SECONDS must exceed OUTBOUND_TIMEOUT_SECONDS by 5"),
            ({"OUTBOUND_TIMEOUT_SECONDS": "nan"}, "OUTBOUND_TIMEOUT_SECONDS must be a number above 0"),
            ({"RENEWAL_LEASE_SECONDS": "inf"}, "RENEWAL_LEASE_SECONDS must be a number above 0"),
            ({"RENEWAL_SWEEP_SECONDS": "0"}, "RENEWAL_SWEEP_SECONDS must be a number above 0"),
            ({"RENEWAL_SWEEP_SECONDS": "hidden-word"}, "RENEWAL_SWEEP_SECONDS must be a number above 0"),
            ({"DATABASE_POOL_SIZE": "-1"}, "DATABASE_POOL_SIZE must be a whole number above 0"),
            ({"DATABASE_POOL_SIZE": "2.5"}, "DATABASE_POOL_SIZE must be a whole number above 0"),
            ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL must be DEBUG, INFO"),
            ({"KEYRING_FILE": "/nowhere/keyring"}, "KEYRING_FILE cannot be read: FileNotFoundError"),
        ],
        ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
    )
    def test_unsafe_settings(self, changes, says, monkeypatch):
        with pytest.raises(ImproperlyConfigured) as raised:
            read_anew(monkeypatch, changes)
        shown = "".join(traceback.format_exception(raised.value))
        assert says in str(raised.value)
        assert "hidden-word" not in shown
        assert ENVIRONMENT["SECRET_KEY"] not in shown

    def test_the_process_ends_with_the_sentence(self):
        assert refused(run(*READ, DEBUG="true")).startswith("DEBUG is refused outside the demo")

    def test_the_production_environment_itself_is_accepted(self):
        process = run(*READ)
        assert (process.returncode, process.stderr) == (0, "")

    def test_a_lease_of_exactly_the_margin_is_accepted(self, monkeypatch):
        assert read_anew(monkeypatch, {"RENEWAL_LEASE_SECONDS": "20"})["RENEWAL_LEASE_SECONDS"] == 20.0

    def test_the_demo_may_use_plain_http_and_debug_on_loopback(self, monkeypatch):
        demo = {"DEMO": "true", "DEBUG": "yes", "PUBLIC_URL": "http://127.0.0.1:8000"}
        assert read_anew(monkeypatch, demo)["DEBUG"] is True

    @pytest.mark.parametrize("name", [name for name, (kind, _) in OPTIONAL.items() if kind in (int, float)])
    def test_no_number_may_be_negative(self, name, monkeypatch):
        monkeypatch.setenv(name, "-1")
        with pytest.raises(ImproperlyConfigured, match=f"{name} must be a"):
            Environment(**SCHEME)(name)


class TestFiles:
    @pytest.mark.parametrize("name", sorted(REQUIRED))
    def test_a_value_may_come_from_a_file_that_ends_with_a_newline(self, name, tmp_path):
        file = tmp_path / "value"
        file.write_text(ENVIRONMENT[name] + "\n", encoding="utf-8")
        process = run(*SHOW, **{name: None, f"{name}_FILE": str(file)})
        assert process.returncode == 0, process.stderr
        assert json.loads(process.stdout) == shown()

    def test_a_keyring_file_holds_a_key_a_line(self, tmp_path):
        file = tmp_path / "keyring"
        another = base64.b64encode(os.urandom(32)).decode()
        file.write_text(f"{KEYRING}\nv2:{another}\n", encoding="utf-8")
        process = run(
            "-c",
            "from django.conf import settings; from tenants import keyring;"
            "print(keyring.parse(settings.KEYRING).versions)",
            KEYRING=None,
            KEYRING_FILE=str(file),
        )
        assert process.stdout.strip() == "('v1', 'v2')", process.stderr

    def test_a_file_that_is_not_text_is_refused(self, tmp_path):
        file = tmp_path / "value"
        file.write_bytes(os.urandom(64) + b"\xff")
        assert "KEYRING_FILE cannot be read" in refused(run(*READ, KEYRING=None, KEYRING_FILE=str(file)))


SHOW = (
    "-c",
    "import json; from django.conf import settings as s;"
    "print(json.dumps([s.SECRET_KEY, s.PUBLIC_URL, s.KEYRING, s.BROKER_ENVIRONMENT, s.DATABASES, s.CELERY_BROKER_URL,"
    " s.ALLOWED_HOSTS]))",
)


@cache
def shown() -> object:
    return json.loads(run(*SHOW).stdout)


class TestAddresses:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("postgres://u@/db?host=/run/pg&port=5433", {"HOST": "", "OPTIONS": {"host": "/run/pg", "port": 5433}}),
            ("postgres://u@%2Frun%2Fpg:5433/db", {"HOST": "/run/pg", "PORT": 5433}),
            ("postgres:////run/pg/db", {"HOST": "/run/pg", "USER": ""}),
            ("postgresql://u:p%40ss@h:5432/db", {"HOST": "h", "PORT": 5432, "PASSWORD": "p@ss"}),
            ("postgres://u@h/db?sslmode=verify-full", {"HOST": "h", "OPTIONS": {"sslmode": "verify-full"}}),
        ],
    )
    def test_the_database_address_in_its_forms(self, url, expected, monkeypatch):
        monkeypatch.setenv("DATABASE_URL", url)
        config = Environment(**SCHEME).database("DATABASE_URL")
        assert {name: config[name] for name in expected} == expected
        assert (config["NAME"], config["ENGINE"]) == ("db", "django.db.backends.postgresql")

    def test_a_socket_address_survives_the_pool_and_the_timeouts(self):
        process = run(*SHOW, DATABASE_URL="postgres://u@/db?host=/run/pg&port=5433&pool=true", DATABASE_POOL_SIZE="7")
        options = json.loads(process.stdout)[4]["default"]["OPTIONS"]
        assert (options["host"], options["port"], options["pool"]["max_size"]) == ("/run/pg", 5433, 7)
        assert "statement_timeout=5s" in options["options"]

    @pytest.mark.parametrize(
        ("url", "celery"),
        [
            ("redis://h:6379/1", "redis://h:6379/1"),
            ("rediss://:pw@h/1", "rediss://:pw@h/1"),
            ("valkey://h/1", "redis://h/1"),
            ("valkeys://h/1", "rediss://h/1"),
            ("unix:///run/v.sock", "redis+socket:///run/v.sock"),
            ("unix:///run/v.sock?db=3", "redis+socket:///run/v.sock?virtual_host=3"),
            ("unix://:pw@/run/v.sock?db=3", "redis+socket://:pw@/run/v.sock?virtual_host=3"),
            ("unix:///run/v.sock?password=pw&db=3", "redis+socket:///run/v.sock?password=pw&virtual_host=3"),
            ("redis+socket:///run/v.sock?virtual_host=3", "redis+socket:///run/v.sock?virtual_host=3"),
        ],
    )
    def test_the_queue_address_in_its_forms(self, url, celery, monkeypatch):
        monkeypatch.setenv("REDIS_URL", url)
        assert Environment(**SCHEME).celery_broker("REDIS_URL") == celery

    def test_lists_and_numbers_are_read_strictly(self, monkeypatch):
        monkeypatch.setenv("ALLOWED_HOSTS", " a.example , b.example,\n")
        monkeypatch.setenv("RENEWAL_SWEEP_SECONDS", "1e1")
        read = Environment(**SCHEME)
        assert (read("ALLOWED_HOSTS"), read("RENEWAL_SWEEP_SECONDS")) == (["a.example", "b.example"], 10.0)


class TestProcesses:
    """The web process, the worker and beat run Django's checks too."""

    CHANGES = (
        ({"KEYRING": f"{KEYRING}\nv1:{ANOTHER_KEY}"}, "broker.E001"),
        ({"CATALOGUE_DIRECTORY": "/nowhere/catalogue"}, "broker.E002"),
    )
    WORKER = ("-m", "celery", "-A", "broker.celery:app", "worker", "--pool", "threads")

    @pytest.mark.parametrize(("changes", "check"), CHANGES)
    def test_the_web_process_refuses(self, changes, check):
        said = refused(run("-c", "import broker.wsgi", **changes))
        assert said.startswith("refusing to start:")
        assert check in said

    @pytest.mark.parametrize(("changes", "check"), CHANGES)
    def test_the_worker_refuses_in_a_sentence(self, changes, check):
        process = run(*self.WORKER, **changes)
        assert check in refused(process)
        assert "Traceback" not in process.stderr

    def test_the_worker_refuses_another_pool_in_a_sentence(self):
        process = run(*self.WORKER[:-1], "solo")
        assert "broker.E007" in refused(process)
        assert "Traceback" not in process.stderr

    def test_beat_refuses(self, tmp_path):
        beat = ("-m", "celery", "-A", "broker.celery:app", "beat", "--schedule", str(tmp_path / "schedule"))
        assert "broker.E001" in refused(run(*beat, KEYRING="v1:c2hvcnQ="))

    def test_the_worker_without_a_setting_says_which(self):
        process = run(*self.WORKER, KEYRING=None)
        assert (process.returncode, process.stderr) == (1, "celery: Set the KEYRING environment variable\n")

    def test_a_command_without_a_setting_says_which(self):
        process = run("manage.py", "create_tenant", "x", "--name", "X", SECRET_KEY=None)
        assert (process.returncode, process.stderr) == (1, "manage.py: Set the SECRET_KEY environment variable\n")

    def test_a_command_with_a_wrong_keyring_says_so(self):
        process = run("manage.py", "check", KEYRING="v1:c2hvcnQ=")
        assert process.returncode == 1
        assert "broker.E001" in process.stderr
        assert "Traceback" not in process.stderr

    def test_a_wrong_catalogue_file_is_named(self, tmp_path):
        (tmp_path / "wrong.toml").write_text("this is = not [toml", encoding="utf-8")
        assert "wrong.toml" in refused(run("-c", "import broker.wsgi", CATALOGUE_DIRECTORY=str(tmp_path)))

    def test_the_deployment_check_is_clean(self):
        process = run("-W", "error", "manage.py", "check", "--deploy", "--fail-level", "DEBUG")
        assert (process.returncode, process.stderr) == (0, "")

    def test_the_deployment_check_tells_that_the_demo_is_on(self):
        process = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", DEMO="true")
        assert process.returncode == 1
        assert "broker.W001" in process.stderr


class TestWhatTheSilencedChecksAskFor:
    """security.W002 and W003 look for class names; here is what they are about."""

    def test_no_page_may_be_framed(self):
        answer = Client().get("/admin/login/")
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]

    @pytest.mark.django_db
    def test_a_form_without_its_token_is_refused(self):
        client = Client(enforce_csrf_checks=True)
        assert client.post("/admin/login/", {"username": "a", "password": "b"}).status_code == 403
