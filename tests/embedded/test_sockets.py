"""Sockets find a place that is short enough and private."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from embedded.errors import EmbeddedError
from embedded.sockets import LONGEST_NAME, PATH_LIMIT, fits, private_folder, socket_folder


@pytest.fixture(autouse=True)
def own_temp_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("t")))


def too_long(tmp_path: Path) -> Path:
    return tmp_path / ("long-" * 20)


def test_a_short_path_is_taken_as_it_is(tmp_path: Path) -> None:
    assert socket_folder(tmp_path / "s") == tmp_path / "s"
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700


def test_a_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s").chmod(0o755)
    assert stat.S_IMODE(socket_folder(tmp_path / "s").stat().st_mode) == 0o700


def test_the_limit_is_the_kernels() -> None:
    room = PATH_LIMIT - len(f"/{LONGEST_NAME}")
    assert fits(Path("/" + "x" * (room - 1)))
    assert not fits(Path("/" + "x" * room))
    assert not fits(Path("/" + "ä" * (room - 1)))


def test_a_long_path_falls_back_to_a_private_folder_in_the_temp_folder(tmp_path: Path) -> None:
    folder = socket_folder(too_long(tmp_path))
    assert folder.parent == Path(tempfile.gettempdir())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_fallback_is_the_same_at_every_start_and_another_for_another_place(tmp_path: Path) -> None:
    assert socket_folder(too_long(tmp_path)) == socket_folder(too_long(tmp_path))
    assert socket_folder(too_long(tmp_path)) != socket_folder(too_long(tmp_path) / "other")


def test_a_planted_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(EmbeddedError, match="not a folder of this user"):
        private_folder(tmp_path / "link")


def test_a_strangers_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    with pytest.raises(EmbeddedError, match="not a folder of this user"):
        private_folder(tmp_path / "theirs")
