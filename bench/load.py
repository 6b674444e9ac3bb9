"""Load from outside: wrk, and what the kernel says the server's processes cost."""

import os
import re
import shutil
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
_TICKS = os.sysconf("SC_CLK_TCK")
# Ids and keys come from files, a line each: LuaJIT takes no table of a million constants.
_SCRIPT = """
local function lines(file)
  local found = {{}}
  for line in io.lines(file) do found[#found + 1] = line end
  return found
end
local ids, keys = lines("{ids}"), lines("{keys}")
local body = {body}
math.randomseed({seed})
wrk.headers["Content-Type"] = "application/json"
local function one() return ids[math.random(#ids)] end
local function batch()
  local asked = {{}}
  for n = 1, {batch} do asked[n] = '{{"connection":"' .. one() .. '"}}' end
  return '{{"requests":[' .. table.concat(asked, ",") .. "]}}"
end
request = function()
  wrk.headers["Authorization"] = "Bearer " .. keys[math.random(#keys)]
  return wrk.format("{method}", {path}, nil, {what})
end
done = function(summary, latency, requests)
  io.write(string.format("bad %d\\n", summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout))
end
"""


class Spent(NamedTuple):
    """CPU seconds, or microseconds a request, by program."""

    web: float
    postgres: float

    @property
    def both(self) -> float:
        return self.web + self.postgres


@dataclass(frozen=True)
class Figures:
    """One round: requests a second, milliseconds, and CPU microseconds a request."""

    rps: float
    p50: float
    p99: float
    web_us: float
    postgres_us: float
    bad: int

    @property
    def cpu_us(self) -> float:
        return self.web_us + self.postgres_us


@dataclass(frozen=True)
class Asking:
    """What wrk asks for. Shape: path and body are Lua; `one()` is a random id, `batch()` a body of several."""

    ids: Path
    keys: Path
    path: str = '"/v1/connections/" .. one() .. "/token"'
    method: str = "GET"
    body: str | None = None
    batch: int = 100
    seed: int = 1

    def write(self, file: Path) -> Path:
        """Write it for wrk."""
        literal = f"[==[{self.body}]==]" if self.body else "nil"
        what = "body" if self.body or self.method == "GET" else "batch()"
        given = {**self.__dict__, "body": literal, "what": what}
        file.write_text(_SCRIPT.format(**given))
        return file


def find_wrk() -> str:
    """Return wrk, installed from the distribution when missing and we may. Raises SystemExit with what to do."""
    if shutil.which("wrk") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for words in (("update",), ("install", "-y", "wrk")):
            subprocess.run(["apt-get", "-q", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("make bench needs the load generator wrk: install the package `wrk` and run it again")
    return found


def start(url: str, *, connections: int, seconds: float, script: Path | None = None) -> subprocess.Popen[str]:
    """Start wrk and return at once: so that several can load one server."""
    command = [find_wrk(), "-t1", f"-c{connections}", f"-d{max(seconds, 1):.0f}s", "--latency", "--timeout", "20s"]
    command += [*(["-s", str(script)] if script else []), url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read(running: subprocess.Popen[str], spent: Callable[[], Spent], before: Spent, *, settle: float = 0.0) -> Figures:
    """Return what wrk found once it has ended. Units: settle is seconds of CPU that still belong to the round."""
    text, complaint = running.communicate()
    if running.returncode:
        raise SystemExit(f"wrk failed: {complaint}")
    time.sleep(settle)
    after = spent()
    requests = max(int(_find(r"(\d+) requests in", text)), 1)
    found = re.search(r"bad (\d+)", text)
    return Figures(
        rps=float(_find(r"Requests/sec:\s+([\d.]+)", text)),
        p50=_percentile("50", text),
        p99=_percentile("99", text),
        web_us=(after.web - before.web) / requests * 1e6,
        postgres_us=(after.postgres - before.postgres) / requests * 1e6,
        bad=int(found[1]) if found else int("Non-2xx" in text),
    )


def median(rounds: Sequence[Figures]) -> Figures:
    """The middle of each figure; what was bad in any round counts."""

    def middle(name: str) -> float:
        return statistics.median(float(getattr(one, name)) for one in rounds)

    figures = {name: middle(name) for name in ("rps", "p50", "p99", "web_us", "postgres_us")}
    return Figures(**figures, bad=sum(one.bad for one in rounds))


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of these processes so far."""
    return sum(sum(map(int, _stat(pid)[11:13])) for pid in pids) / _TICKS


def tree_cpu_seconds(pid: int) -> float:
    """User and system time of a process and all below it so far, those that have ended included."""
    return sum(sum(map(int, _stat(one)[11:15])) for one in descendants(pid)) / _TICKS


def descendants(pid: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            children[parent(int(stat.parent.name))].append(int(stat.parent.name))
        except OSError:
            continue
    found = [pid]
    for one in found:
        found += children[one]
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
    found = re.search(rf"{name}%\s+([\d.]+)(us|ms|s)", text)
    if found is None:
        raise SystemExit(f"unexpected output of the load generator: {text[-300:]}")
    return float(found[1]) * _UNITS[found[2]]


def _find(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"unexpected output of the load generator: {text[-300:]}")
    return match.group(1)
