"""The vendor's rate limit: so many requests a minute for each client and API endpoint."""

import time


class RateLimit:
    """Counts requests in whole minutes."""

    def __init__(self) -> None:
        self._minute = 0
        self._seen: dict[tuple[str, str], int] = {}

    def wait(self, client_id: str, endpoint: str, limit: int) -> int:
        """Seconds until the next request is welcome; 0 when this one is. A limit of 0 means none."""
        now = time.time()
        if int(now // 60) != self._minute:
            self._minute = int(now // 60)
            self._seen.clear()
        count = self._seen[client_id, endpoint] = self._seen.get((client_id, endpoint), 0) + 1
        return 0 if limit <= 0 or count <= limit else max(1, round(60 - now % 60))

    def clear(self) -> None:
        """Forget what was counted."""
        self._seen.clear()
