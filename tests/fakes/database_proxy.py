"""Stands between a broker and its PostgreSQL, and takes the database away from it: gone, or there and silent."""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Self

_BLOCK = 65536


class DatabaseProxy:
    """A unix socket that leads to the server's. What passes is not looked at."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.folder = folder
        self._server = server
        self._path = folder / server.name
        self._listener: socket.socket | None = None
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._flows = threading.Event()
        self._flows.set()

    def __enter__(self) -> Self:
        self.restore()
        return self

    def __exit__(self, *_: object) -> None:
        self._flows.set()
        self.cut()

    def cut(self) -> None:
        """End every connection, and refuse new ones: what a restart of the server looks like."""
        self._path.unlink(missing_ok=True)
        if self._listener is not None:
            # A thread that waits in accept() is not woken by close() alone.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            ended, self._pairs = self._pairs, []
        for one in (side for pair in ended for side in pair):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Accept everything and answer nothing: a server that hangs."""
        self._flows.clear()

    def restore(self) -> None:
        """Be the server again."""
        self._flows.set()
        if self._listener is None:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(self._path))
            self._listener.listen(64)
            threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                with self._lock:
                    self._pairs.append((client, server))
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=[source, target], daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(_BLOCK):
                self._flows.wait()
                target.sendall(block)
        for side in (source, target):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        # Only the reader closes what it reads from: another thread may still be writing to it.
        source.close()
