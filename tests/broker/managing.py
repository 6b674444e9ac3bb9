"""Commands as a script calls them."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
from django.core.management import ManagementUtility


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        assert self.code == 0, self.err
        assert len(self.out.splitlines()) == 1, self.out
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def sentence(self) -> str:
        """The plain sentence that a refusal is: nothing on stdout, no traceback."""
        assert (self.code, self.out) == (1, ""), (self.code, self.out, self.err)
        assert self.err.startswith("CommandError: "), self.err
        assert len(self.err.strip().splitlines()) == 1, self.err
        return self.err.removeprefix("CommandError: ").strip()


Manage = Callable[..., Done]


@pytest.fixture
def manage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Manage:
    def run(*arguments: str, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "stdin", StringIO(stdin))
        capsys.readouterr()
        code = 0
        try:
            ManagementUtility(["manage.py", *arguments]).execute()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Done(code, *capsys.readouterr())

    return run
