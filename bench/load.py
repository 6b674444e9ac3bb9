"""Load from outside: wrk, and what the kernel says the server's processes cost."""

import os
import re
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
_TICKS = os.sysconf("SC_CLK_TCK")
SCRIPT = """
local ids = {ids}
wrk.headers["Authorization"] = "Bearer {key}"
wrk.headers["Content-Type"] = "application/json"
local body = {body}
request = function()
  return wrk.format("{method}", "/v1/connections/" .. ids[math.random(#ids)] .. "/{what}", nil, body)
end
done = function(summary, latency, requests)
  io.write(string.format("bad %d\\n", summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout))
end
"""


@dataclass(frozen=True)
class Figures:
    """One round: requests a second, milliseconds, and server CPU microseconds a request."""

    rps: float
    p50: float
    p99: float
    cpu_us: float
    bad: int


def write_script(file: Path, ids: Sequence[UUID], key: str, *, body: str | None = None) -> Path:
    """Write what wrk asks for: tokens of these connections or, with a body, headers for what it describes."""
    asked = {"method": "POST", "what": "headers"} if body else {"method": "GET", "what": "token"}
    lua_ids = "{" + ",".join(f'"{one}"' for one in ids) + "}"
    file.write_text(SCRIPT.format(ids=lua_ids, key=key, body=f"[==[{body}]==]" if body else "nil", **asked))
    return file


def find_wrk() -> str:
    """Return wrk, installed from the distribution when missing and we may. Raises SystemExit with what to do."""
    if shutil.which("wrk") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["apt-get", "update", "-q"], **quiet, check=False)
        subprocess.run(["apt-get", "install", "-y", "-q", "wrk"], **quiet, check=False)
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("make bench needs the load generator wrk: install the package `wrk` and run it again")
    return found


def run(url: str, pids: Sequence[int], *, connections: int, seconds: float, script: Path | None = None) -> Figures:
    command = [find_wrk(), "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency", "--timeout", "20s"]
    before = cpu_seconds(pids)
    text = subprocess.run(
        [*command, *(["-s", str(script)] if script else []), url], capture_output=True, text=True, check=True
    ).stdout
    spent = cpu_seconds(pids) - before
    requests = int(_find(r"(\d+) requests in", text))
    bad = int(_find(r"bad (\d+)", text)) if script else int("Non-2xx" in text)
    rps = float(_find(r"Requests/sec:\s+([\d.]+)", text))
    return Figures(rps, _percentile("50", text), _percentile("99", text), spent / max(requests, 1) * 1e6, bad)


def median(rounds: Sequence[Figures]) -> Figures:
    def middle(name: str) -> float:
        return statistics.median(getattr(one, name) for one in rounds)

    return Figures(middle("rps"), middle("p50"), middle("p99"), middle("cpu_us"), sum(one.bad for one in rounds))


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of these processes so far."""
    return sum(sum(map(int, _stat(pid)[11:13])) for pid in pids) / _TICKS


def tree_cpu_seconds(pid: int) -> float:
    """User and system time of a process and all below it so far, those that have ended included."""
    return sum(sum(map(int, _stat(one)[11:15])) for one in descendants(pid)) / _TICKS


def descendants(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            child = int(stat.parent.name)
            if int(_stat(child)[1]) == pid:
                found += descendants(child)
        except OSError:
            continue
    return found


def parent(pid: int) -> int:
    """The process that started this one."""
    return int(_stat(pid)[1])


def memory_mb(pid: int) -> float:
    """The process's share of memory (PSS), so that pages shared by workers are counted once."""
    return int(_find(r"Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text())) / 1024


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def _percentile(name: str, text: str) -> float:
    value, unit = re.search(rf"{name}%\s+([\d.]+)(us|ms|s)", text).groups()
    return float(value) * _UNITS[unit]


def _find(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"unexpected output of the load generator: {text[-300:]}")
    return match.group(1)
