"""Run things at the same moment, each on a database connection of its own."""

import threading
from collections.abc import Callable
from typing import TypeVar

from django.db import connection as database

Answer = TypeVar("Answer")


def together(*functions: Callable[[], Answer]) -> list[Answer]:
    """Run each function in a thread of its own, on a database connection of its own, all released at once."""
    start, answers, errors = threading.Barrier(len(functions)), {}, []

    def run(number: int, function: Callable[[], Answer]) -> None:
        try:
            database.ensure_connection()
            start.wait(10)
            answers[number] = function()
        except BaseException as error:
            start.abort()
            errors.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    if errors:
        raise errors[0]
    return [answers[number] for number in range(len(functions))]
