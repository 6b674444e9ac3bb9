"""What most systems do, for comparison: read a row that is due, POST, write the row. No lock, no intent, no fence.

`python -m tests.chaos.naive DATABASE TOKEN_ENDPOINT CLIENT_ID CLIENT_SECRET LIFE` is one such worker.
"""

import random
import sys
import time

import httpx2
import psycopg

TABLE = """
CREATE TABLE naive (id bigserial PRIMARY KEY, refresh text, due_at timestamptz, blamed boolean DEFAULT false)
"""
READY = "renewing"
_DUE = "SELECT id, refresh FROM naive WHERE due_at <= now() AND NOT blamed ORDER BY due_at LIMIT 20"
_WRITE = "UPDATE naive SET refresh = %s, due_at = now() + %s * interval '1 second' WHERE id = %s"
_BLAME = "UPDATE naive SET blamed = true WHERE id = %s"


def work(database: str, endpoint: str, client: dict[str, str], life: float) -> None:
    """Renew for ever."""
    with psycopg.connect(database, autocommit=True) as connection, httpx2.Client(trust_env=False, timeout=4) as http:
        print(READY, flush=True)
        while True:
            rows = connection.execute(_DUE).fetchall()
            for number, refresh in rows:
                _renew(connection, http, endpoint, {**client, "refresh_token": refresh}, number, life)
            if not rows:
                time.sleep(0.1)


def _renew(
    connection: psycopg.Connection, http: httpx2.Client, endpoint: str, form: dict[str, str], number: int, life: float
) -> None:
    try:
        answer = http.post(endpoint, data={"grant_type": "refresh_token", **form})
    except httpx2.HTTPError:
        return
    if answer.status_code == 200:
        connection.execute(_WRITE, [answer.json()["refresh_token"], life * random.uniform(0.6, 0.75), number])
    elif answer.json().get("error") == "invalid_grant":
        connection.execute(_BLAME, [number])


if __name__ == "__main__":
    database, endpoint, client_id, client_secret, life = sys.argv[1:]
    work(database, endpoint, {"client_id": client_id, "client_secret": client_secret}, float(life))
