"""A wall clock that is wrong: `time.time` and `datetime.now` of this process. The monotonic clock stays right."""

import ctypes
import datetime
import gc
import time
from typing import Any


def shift(seconds: float) -> None:
    """Set the clock of this process ahead (or back, when negative). Once, before anything else is imported."""
    real = time.time
    time.time = lambda: real() + seconds
    _shift_datetime(datetime.timedelta(seconds=seconds))


def _shift_datetime(delta: datetime.timedelta) -> None:
    """A subclass would not do: rows that the database driver makes, and their types, must stay what they are."""
    real_now, real_utcnow = datetime.datetime.now, datetime.datetime.utcnow
    members: dict[str, Any] = gc.get_referents(datetime.datetime.__dict__)[0]
    members["now"] = classmethod(lambda _, tz=None: real_now(tz) + delta)
    members["utcnow"] = classmethod(lambda _: real_utcnow() + delta)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime.datetime))
