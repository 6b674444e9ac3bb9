"""`make run`: start, tell, stay, stop."""

from embedded import announce
from embedded.home import Home
from embedded.narrator import Narrator
from embedded.stack import Stack
from embedded.stop_signal import Stopped, StopSignal


def run(home: Home) -> int:
    """Return the exit code once somebody asked to stop.

    Raises: EmbeddedError when something did not start, or ended by itself.
    """
    stop_signal = StopSignal()
    try:
        with home.locked(), Stack(home, Narrator().tell, stop_signal) as stack:
            manage = stack.start()
            # Made while the web processes are still importing.
            welcome = announce.text(home, manage)
            stack.wait_until_ready(manage)
            print(welcome, flush=True)
            stack.watch()
    except Stopped:
        print("\nStopped.", flush=True)
    return 0
