"""One line a step, for the person who watches."""

import time


class Narrator:
    """Tells each step with the seconds since the beginning."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def tell(self, line: str) -> None:
        """Print one line."""
        print(f"{time.monotonic() - self._began:6.1f} s  {line}", flush=True)
