"""A real nginx with the example configuration, and services that know only its address."""

import re
import shutil
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import certifi
import httpx2

from embedded.ports import HOST
from embedded.processes import Child
from tests.fakes.broker import PROJECT, Broker, free_port, wait_until
from tests.tools import nginx

EXAMPLE = PROJECT / "docs/examples/nginx"
# What the distribution's own nginx.conf brings, as far as it is needed: a folder of one's own for everything.
MAIN = """
daemon off;
master_process off;
error_log stderr notice;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include forward-auth.conf;
}}
"""


class Gateway:
    """nginx on a free port, before a broker."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self.address = f"{HOST}:{free_port()}"
        values = {
            "GATEWAY_LISTEN": self.address,
            "BROKER_SERVER": urlsplit(broker.url).netloc,
            "BROKER_URL": "http://token_broker",
            "BROKER_HOST": HOST,
            "CA_FILE": certifi.where(),
            "RESOLVER": HOST,
        }
        self.http = httpx2.Client(base_url=f"http://{self.address}", timeout=40, trust_env=False)
        self._write(values)
        self._child = self._start(broker)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def log(self) -> str:
        """Everything nginx has written of what it was asked."""
        return (self._folder / "access.log").read_text()

    def _write(self, values: dict[str, str]) -> None:
        template = (EXAMPLE / "forward-auth.conf.template").read_text()
        filled = re.sub(r"\$\{([A-Z_]+)\}", lambda found: values.get(found[1], found[0]), template)
        (self._folder / "forward-auth.conf").write_text(filled)
        (self._folder / "nginx.conf").write_text(MAIN.format(folder=self._folder))
        shutil.copy(EXAMPLE / "vendor-headers.conf", self._folder)

    def _start(self, broker: Broker) -> Child:
        words = ["-p", str(self._folder), "-c", str(self._folder / "nginx.conf"), "-e", "stderr"]
        child = broker.start("nginx", [*nginx.command(), *words])
        wait_until(self._answers, "nginx to answer", 20, children=[child])
        return child

    def _answers(self) -> bool:
        try:
            return self.http.get("/").status_code == 404
        except httpx2.TransportError:
            return False
