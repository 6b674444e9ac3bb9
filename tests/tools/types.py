"""`make types`: mypy, whose Django plugin reads the settings, which read the environment."""

import os
import sys

from mypy.main import main

from embedded import settings_for_tests

if __name__ == "__main__":
    settings_for_tests.set_missing()
    # Never connected to: the type checker only looks at the models.
    os.environ.setdefault("DATABASE_URL", "postgres://nobody@localhost/none")
    os.environ.setdefault("REDIS_URL", "redis://localhost")
    # From a warm cache the plugin reports managers of related models as missing that are there.
    main(args=["--no-error-summary", "--cache-dir", os.devnull, *sys.argv[1:]], clean_exit=True)
