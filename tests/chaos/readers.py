"""Callers that read tokens over HTTP all the time, and remember what they were given."""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Self
from uuid import UUID

import httpx2

from tests.chaos.checker import Served
from tests.chaos.history import fingerprint


class Readers:
    """Threads that ask while the `with` block runs. Now and then they want a token that lives longer: a renewal."""

    def __init__(
        self, urls: Sequence[str], key: str, ids: Sequence[UUID], *, threads: int = 2, min_ttl: int = 0, pause: float
    ) -> None:
        self._urls, self._key, self._ids = list(urls), key, [str(one) for one in ids]
        self._min_ttl, self._pause = min_ttl, pause
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(n,), daemon=True) for n in range(threads)]
        self.served: list[Served] = []
        self.answers: Counter[str] = Counter()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _read(self, seed: int) -> None:
        chosen = random.Random(seed)
        headers = {"Authorization": f"Bearer {self._key}"}
        with httpx2.Client(headers=headers, timeout=20, trust_env=False) as http:
            while not self._stopping.wait(chosen.uniform(0, 2 * self._pause)):
                self._ask(http, chosen)

    def _ask(self, http: httpx2.Client, chosen: random.Random) -> None:
        connection = chosen.choice(self._ids)
        query = {"min_ttl": self._min_ttl} if self._min_ttl and chosen.random() < 0.2 else {}
        try:
            answer = http.get(f"{chosen.choice(self._urls)}/v1/connections/{connection}/token", params=query)
        except httpx2.HTTPError:
            # A web process that was just killed.
            self.answers["no answer"] += 1
            return
        at = time.time()
        self.answers[str(answer.status_code)] += 1
        if answer.status_code == 200:
            token = answer.json()
            access = fingerprint(token["access_token"])
            self.served.append(Served(connection=connection, version=token["version"], access=access, at=at))
