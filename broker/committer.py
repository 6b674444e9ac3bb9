"""The one thread of a worker that makes answers durable: whatever are there, together."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from django.db import connection

from broker.services import escrow, renewal_commit, renewal_outcomes, renewal_steps
from broker.services.renewal_attempt import Answer, Outcome

logger = logging.getLogger(__name__)
_TOGETHER = 64
Concluded = Callable[[Sequence[Answer], Sequence[Outcome]], None]


class Committer:
    """Takes answers from any thread and concludes them in one. Nothing that fails here loses an answer.

    Shape:  concluded gets the answers with their outcomes, in order.
    """

    def __init__(self, concluded: Concluded) -> None:
        self._concluded = concluded
        self._answers: deque[Answer] = deque()
        self._since: dict[int, tuple[float, Answer]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._away = False
        self.thread = threading.Thread(target=self._run, name="renewal-committer", daemon=True)

    def deliver(self, answer: Answer) -> None:
        """Take an answer."""
        with self._changed:
            self._answers.append(answer)
            self._since[id(answer)] = (time.monotonic(), answer)
            self._changed.notify()

    def finish(self) -> None:
        """Return when everything taken is concluded."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self.thread.is_alive():
            self.thread.join()

    def save_late(self, seconds: float) -> None:
        """Put what has waited for so long into the escrow, whatever the committing thread is waiting for. No database.

        A database that neither answers nor fails must not leave an answer in memory alone.
        """
        with self._changed:
            late = [answer for since, answer in self._since.values() if time.monotonic() - since > seconds]
        for answer in renewal_commit.put_aside(late):
            logger.warning("an answer waits for the database", extra=_facts(answer))
        self._forget(late)

    def _run(self) -> None:
        while answers := self._take():
            self._settle(answers)
            self._forget(answers)
            if not self._answers:
                connection.close()

    def _take(self) -> list[Answer]:
        """Whatever is there, as soon as something is; nothing when it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._answers or self._closed)
            return [self._answers.popleft() for _ in range(min(len(self._answers), _TOGETHER))]

    def _forget(self, answers: Sequence[Answer]) -> None:
        with self._changed:
            for answer in answers:
                self._since.pop(id(answer), None)

    def _conclude(self, answers: list[Answer]) -> list[Outcome]:
        """What came of each. While the database is away, every pair is in the escrow before anything waits for it."""
        self._away = self._away and escrow.pending() > 0
        kept = {id(answer) for answer in renewal_commit.put_aside(answers)} if self._away else set()
        rest = [answer for answer in answers if id(answer) not in kept]
        try:
            outcomes = renewal_steps.conclude(rest, patient=False)
        except Exception:
            logger.exception("answers could not be concluded together")
            connection.close()
            outcomes = [_conclude_alone(answer) for answer in rest]
        else:
            found = zip(rest, outcomes, strict=True)
            self._away |= any(answer.response and outcome is Outcome.STORAGE_FAULT for answer, outcome in found)
        known = dict(zip(map(id, rest), outcomes, strict=True))
        return [known.get(id(answer), Outcome.STORAGE_FAULT) for answer in answers]

    def _settle(self, answers: list[Answer]) -> None:
        try:
            outcomes = self._conclude(answers)
        except Exception:
            logger.exception("answers could not be concluded")
            outcomes = [Outcome.STORAGE_FAULT] * len(answers)
        try:
            self._concluded(answers, outcomes)
        except Exception:
            logger.exception("outcomes could not be told")


def _conclude_alone(answer: Answer) -> Outcome:
    try:
        return renewal_steps.conclude([answer], patient=False)[0]
    except Exception:
        logger.exception("an answer could not be concluded", extra=_facts(answer))
        connection.close()
    return Outcome.STORAGE_FAULT if renewal_commit.put_aside([answer]) else _broke(answer)


def _broke(answer: Answer) -> Outcome:
    try:
        return renewal_outcomes.broke(answer.attempt)
    except Exception:
        # The lease ends by itself, and the slot is then taken for what it is: an answer that nobody has heard.
        logger.exception("an answer is lost", extra=_facts(answer))
        return Outcome.STORAGE_FAULT


def _facts(answer: Answer) -> dict[str, object]:
    return {"connection_id": answer.attempt.claim.connection_id, "fence": answer.attempt.claim.fence}
