"""Stands before a server and keeps what was sent to it: for tests of what must not arrive there."""

import contextlib
import socket
import threading
from typing import Self
from urllib.parse import urlsplit

_BLOCK = 65536


class Tap:
    """A port that leads to the server's; nothing is changed on the way."""

    def __init__(self, server_url: str) -> None:
        parts = urlsplit(server_url)
        self._server = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._sent: list[bytes] = []

    @property
    def sent(self) -> bytes:
        """Everything that was sent to the server until now."""
        return b"".join(self._sent)

    def forget(self) -> None:
        """Begin anew."""
        self._sent.clear()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # A thread that waits in accept() is not woken by close() alone.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._lead, args=[near], daemon=True).start()

    def _lead(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError), near, socket.create_connection(self._server) as far:
            back = threading.Thread(target=_pump, args=[far, near, []], daemon=True)
            back.start()
            _pump(near, far, self._sent)
            back.join()


def _pump(source: socket.socket, target: socket.socket, seen: list[bytes]) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(_BLOCK):
            seen.append(block)
            target.sendall(block)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
