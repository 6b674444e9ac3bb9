"""What can stand in the way of starting."""


class EmbeddedError(Exception):
    """One or two sentences for the person at the keyboard: what is wrong, and what to do about it."""


class ServerMissing(EmbeddedError):
    """No server program of this kind is on the machine, and no address of a running one was given."""


class ProcessDied(EmbeddedError):
    """A process that has to be there ended; the message carries its last log lines."""
