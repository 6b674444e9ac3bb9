"""Ports that stay the same from start to start, so that redirect URIs stay true."""

import socket

from embedded.errors import EmbeddedError
from embedded.home import Home

HOST = "127.0.0.1"
TRIES = 100


def choose(home: Home, name: str, wanted: int) -> int:
    """Return the port remembered under this name if it is free, else the wanted one, else the next free."""
    known = home.read("ports.json")
    others = {port for other, port in known.items() if other != name}
    for port in [known.get(name, wanted), *range(wanted, wanted + TRIES)]:
        if port not in others and is_free(port):
            home.write("ports.json", {**known, name: port})
            return int(port)
    raise EmbeddedError(f"No free port for {name} between {wanted} and {wanted + TRIES - 1}.")


def is_free(port: int) -> bool:
    """Tell whether this machine's loopback port can be listened on now."""
    with socket.socket() as probe:
        # Connections of the last run that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
