"""Stories told by several processes at once, each with a database of its own."""

import importlib
import logging
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import django

from embedded import settings_for_tests


class Share(NamedTuple):
    """The stories of some seeds in one database. Picklable: a process of its own tells them. Shape: end is not told."""

    database_url: str
    begin: int
    end: int


class Found(NamedTuple):
    """What came of a share, or of all. Shape: problems name the seed that shows them again."""

    count: int
    renewals: int
    deaths: int
    rotation_lost: int
    problems: tuple[str, ...]


def tell(shares: list[Share]) -> Found:
    """Tell every share in a process of its own, and sum up. Raises what a process could not cope with."""
    with ProcessPoolExecutor(len(shares), mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_tell, shares))
    return Found(
        count=sum(each.count for each in found),
        renewals=sum(each.renewals for each in found),
        deaths=sum(each.deaths for each in found),
        rotation_lost=sum(each.rotation_lost for each in found),
        problems=tuple(problem for each in found for problem in each.problems),
    )


def _tell(share: Share) -> Found:
    os.environ["DATABASE_URL"] = share.database_url
    settings_for_tests.set_missing()
    django.setup()
    logging.disable(logging.CRITICAL)
    # These import Django's models, which is possible only now.
    told = importlib.import_module("tests.chaos_support.interleavings").run(share.end - share.begin, share.begin)
    importlib.import_module("broker.services.presence").stop()
    return Found(told.count, told.renewals, told.deaths, told.rotation_lost, tuple(told.problems))
