"""The main job, unattended: over HTTP and by commands, as a customer, a service and a provider live it."""

import json
from dataclasses import asdict

from embedded import environment
from embedded.demo.expectations import Unexpected
from embedded.demo.story import Story
from embedded.demo.systems import Systems
from embedded.errors import EmbeddedError
from embedded.home import Home
from embedded.manage import Manage
from embedded.narrator import Narrator
from embedded.sandbox_control import SandboxControl
from embedded.stack import Stack
from embedded.stop_signal import Stopped, StopSignal


def demo(home: Home) -> int:
    """Return 0 only if every step went as it should.

    Effects: uses what `make run` started if that runs; else starts the same and stops it at the end.
    """
    narrator = Narrator()
    running = home.running()
    if running:
        manage = Manage(environment.load(home.root / environment.FILE_NAME))
        return _tell(manage, SandboxControl(running["sandbox_url"]), narrator)
    stop_signal = StopSignal()
    try:
        with home.locked(), Stack(home, narrator.tell, stop_signal) as stack:
            manage = stack.start()
            stack.wait_until_ready(manage)
            with stop_signal.interrupting():
                return _tell(manage, SandboxControl(stack.sandbox_url), narrator)
    except Stopped:
        return 130


def _tell(manage: Manage, sandbox: SandboxControl, narrator: Narrator) -> int:
    story = Story(manage, sandbox, narrator.tell)
    try:
        story.run()
        story.result.systems = Systems(manage, sandbox, narrator.tell).run()
        story.result.settle()
    except (Unexpected, EmbeddedError) as problem:
        print(f"The demo failed: {problem}", flush=True)
    print(json.dumps(asdict(story.result)), flush=True)
    return 0 if story.result.ok else 1
