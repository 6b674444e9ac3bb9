"""import_connections, as an operator calls it."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tenants.models import Connection
from tests.broker.services import typed_in

ENTERED = {"tenant": "aalto", "provider": "netvisor", "environment": "local", "entered": typed_in.FILLED_IN}


class TestCommand:
    def run(self, file, *options):
        out, err = StringIO(), StringIO()
        try:
            call_command("import_connections", str(file), *options, stdout=out, stderr=err)
        except CommandError as error:
            return out.getvalue(), err.getvalue(), str(error)
        return out.getvalue(), err.getvalue(), ""

    @pytest.fixture
    def file(self, tmp_path, settled, local_provider):
        typed_in.netvisor(local_provider)
        file = tmp_path / "connections.jsonl"
        bad = {**ENTERED, "entered": {**typed_in.FILLED_IN, "customer_key": "wrong" * 6}}
        lines = [json.dumps(bad), "", "{", "x" * 200_000, json.dumps(ENTERED)]
        file.write_text("\n".join(lines) + "\n")
        file.chmod(0o600)
        return file

    def test_every_line_is_told_and_one_that_fails_stops_no_other(self, file):
        out, err, failure = self.run(file, "--json")
        said = json.loads(out)
        assert [(each["line"], each["verdict"]) for each in said["lines"]] == [
            (1, "refused"),
            (3, "refused"),
            (4, "refused"),
            (5, "stored"),
        ]
        assert [each.get("reason") for each in said["lines"]] == [
            "credential_refused",
            "not_json",
            "line_too_long",
            None,
        ]
        assert said["summary"] == {"refused": 3, "stored": 1}
        assert (err, failure) == ("", "3 of 4 lines were not imported")
        assert typed_in.CUSTOMER_KEY not in out
        assert "wrongwrong" not in out

    def test_people_get_lines(self, file):
        out, _, _ = self.run(file)
        connection = Connection.objects.get()
        assert out.splitlines()[-3:] == [
            f"line 5: stored, connection {connection.pk}",
            "refused  3",
            "stored   1",
        ]

    def test_a_file_that_others_can_read_is_warned_of(self, file):
        file.chmod(0o644)
        _, err, _ = self.run(file, "--dry-run")
        assert "chmod 600" in err
        assert not Connection.objects.exists()
