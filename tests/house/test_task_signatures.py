"""A task message sits in the queue, in logs and in monitors: it carries ids and numbers, never a secret."""

import inspect

import pytest

from broker import tasks
from broker.celery import app

# In one order: Celery keeps them in another one in each process, and the workers of a test run must agree.
OURS = {name: app.tasks[name] for name in sorted(app.tasks) if not name.startswith("celery.")}


def test_every_task_is_known():
    assert set(OURS) == {f"broker.tasks.{name}" for name, value in vars(tasks).items() if hasattr(value, "apply_async")}
    assert "broker.tasks.renew_due" in OURS


@pytest.mark.parametrize("task", OURS.values(), ids=OURS)
def test_a_task_takes_ids_and_numbers_only_and_returns_nothing(task):
    signature = inspect.signature(task.run, eval_str=True)
    for parameter in signature.parameters.values():
        assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        assert parameter.annotation in (str, int)
    assert signature.return_annotation is None


@pytest.mark.parametrize("task", OURS.values(), ids=OURS)
def test_a_text_that_a_task_takes_is_an_id(task):
    taken = inspect.signature(task.run, eval_str=True).parameters
    assert [name for name, one in taken.items() if one.annotation is str and not name.endswith("_id")] == []


def test_messages_are_json_and_results_are_not_kept():
    assert (app.conf.task_serializer, app.conf.accept_content) == ("json", ["json"])
    assert app.conf.task_ignore_result is True
    assert app.conf.result_backend is None
    assert all(task.serializer in (None, "json") for task in OURS.values())


def test_beat_asks_for_tasks_that_exist_and_need_nothing():
    for entry in app.conf.beat_schedule.values():
        assert not inspect.signature(OURS[entry["task"]].run).parameters
        assert "args" not in entry
