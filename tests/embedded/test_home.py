"""One folder holds an installation; one process at a time holds the folder."""

import os
import socket
import stat
from pathlib import Path

import pytest

from embedded import environment
from embedded.errors import EmbeddedError
from embedded.home import Home
from embedded.ports import HOST, choose


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An installation that was never started."""
    home = Home(tmp_path / "var")
    home.prepare()
    return home


@pytest.fixture
def variables(home: Home, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the broker would get where the caller's environment says nothing."""
    monkeypatch.setattr(os, "environ", {})
    return environment.broker_environment(home, "http://127.0.0.1:8000", {"DATABASE_URL": "d", "REDIS_URL": "r"})


def test_a_second_start_in_the_same_folder_is_refused_by_name(home: Home) -> None:
    with home.locked():
        with pytest.raises(EmbeddedError, match=f"Already running here .process {os.getpid()}"):
            with home.locked():
                pass
    with home.locked():
        pass


def test_what_runs_is_known_only_while_it_runs(home: Home) -> None:
    assert home.running() is None
    with home.locked():
        home.write("run.json", {"sandbox_url": "http://127.0.0.1:9000"})
        assert home.running() == {"sandbox_url": "http://127.0.0.1:9000"}
    assert home.running() is None


def test_secrets_stay_and_are_closed_to_others(home: Home) -> None:
    path = home.secret("key", lambda: "once")
    assert home.secret("key", lambda: "twice").read_text() == "once\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700


def test_the_environment_holds_no_secret_and_survives_its_file(home: Home, variables: dict[str, str]) -> None:
    path = environment.save(home, {**variables, "ODD": "a 'quoted' $value"})
    secret = (home.root / "secret-key").read_text().strip()
    assert secret not in path.read_text()
    assert environment.load(path) == {**variables, "ODD": "a 'quoted' $value"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_the_caller_sets_wins(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"PUBLIC_URL": "https://broker.example", "SECRET_KEY": "mine"})
    variables = environment.broker_environment(home, "http://127.0.0.1:8000", {})
    assert variables["PUBLIC_URL"] == "https://broker.example"
    assert variables["SECRET_KEY"] == "mine"
    assert "SECRET_KEY_FILE" not in variables


def test_a_port_is_remembered_and_a_taken_one_is_left_alone(home: Home) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        chosen = choose(home, "web", port)
        assert port < chosen
    assert choose(home, "web", port) == chosen
    assert choose(home, "sandbox", chosen) != chosen
