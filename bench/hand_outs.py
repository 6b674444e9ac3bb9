"""A fresh token, a batch of them and signed headers, in turn with the floor and a Django view that does nothing."""

import json
from pathlib import Path

import httpx2

from bench import table
from bench.load import Asking, Figures
from bench.scene import FLUSH_SECONDS, Scene
from bench.table import Row

BATCH = 100
ASKED_SHARE, ASKED_CPU_MS, ASKED_BATCH, ASKED_SIGNED = 0.5, 0.25, 20.0, 0.9
_BARE = '"/v1/connections/" .. one() .. "/token?bare"'
_HEADERS = '"/v1/connections/" .. one() .. "/headers"'


def fresh(scene: Scene) -> list[Row]:
    """A fresh token beside the floor, and what it costs."""
    for _ in range(scene.rounds):
        _floors(scene)
        scene.one("token", scene.web, scene.asking(), settle=FLUSH_SECONDS)
    share = table.middle_ratio(scene.rates("token"), scene.rates("floor"))
    bare = table.middle_ratio(scene.rates("token"), scene.rates("floor without pool"))
    token, floor, constant = scene.middle("token"), scene.middle("floor"), scene.middle("constant Django view")
    return [
        Row("fresh tokens a second, 16 connections", f"{token.rps:,.0f}"),
        Row("the bare floor", f"{floor.rps:,.0f}"),
        Row("a constant Django view", f"{constant.rps:,.0f}"),
        table.at_least("fresh tokens, share of the bare floor's rate", share, ASKED_SHARE),
        Row("the same of a floor that has no pool either", f"{bare:.2f}"),
        Row("the same by CPU", f"{floor.cpu_us / token.cpu_us:.2f}"),
        table.under("CPU a fresh token, server and database", token.cpu_us / 1000, ASKED_CPU_MS, " ms", 3),
        Row("of that the web server", f"{token.web_us / 1000:.3f} ms"),
        Row("of that PostgreSQL", f"{token.postgres_us / 1000:.3f} ms"),
        table.none_bad("fresh tokens", scene.figures["token"] + scene.figures["floor"]),
    ]


def batch(scene: Scene) -> list[Row]:
    """A hundred tokens in one request beside one by one."""
    _check_batch(scene)
    singles = []
    for _ in range(scene.rounds):
        singles.append(_single(scene))
        scene.one("batch of 100", scene.web, scene.asking(path='"/v1/tokens"', method="POST", batch=BATCH))
    tokens = [rate * BATCH for rate in scene.rates("batch of 100")]
    gain = table.middle_ratio(tokens, [one.rps for one in singles])
    cost = scene.middle("batch of 100").cpu_us / BATCH
    return [
        table.at_least("a batch of 100: tokens a second, times one by one", gain, ASKED_BATCH, digits=1),
        Row("the same by CPU", f"{scene.middle('token, one by one').cpu_us / cost:.1f}"),
        Row("CPU a token of a batch", f"{cost / 1000:.4f} ms"),
        table.none_bad("batches", scene.figures["batch of 100"]),
    ]


def signed(scene: Scene) -> list[Row]:
    """Signed headers, as many as fresh tokens."""
    singles = []
    kinds = ("netvisor", "fivaldi")
    for _ in range(scene.rounds):
        singles.append(_single(scene).rps)
        for kind in kinds:
            scene.one(f"{kind} headers", scene.web, _signing(scene, kind))
    rows = []
    for kind in kinds:
        what = f"{kind} headers"
        share = table.middle_ratio(scene.rates(what), singles)
        rows.append(table.at_least(f"{what}, share of the fresh tokens' rate", share, ASKED_SIGNED))
        rows.append(table.none_bad(what, scene.figures[what]))
    return rows


def _floors(scene: Scene) -> None:
    scene.one("floor", scene.floor, scene.asking())
    scene.one("floor without pool", scene.floor, scene.asking(path=_BARE))
    scene.one("constant Django view", scene.web, scene.asking(path='"/v1/floor"'))


def _single(scene: Scene) -> Figures:
    return scene.one("token, one by one", scene.web, scene.asking())


def _signing(scene: Scene, kind: str) -> Asking:
    body = (scene.folder / f"{kind}.json").read_text()
    return scene.asking(kind, path=_HEADERS, method="POST", body=body)


def _check_batch(scene: Scene) -> None:
    """Raises SystemExit unless a batch holds as many tokens as were asked for: wrk sees the status only."""
    ids = _ids(scene.folder / "few")[:BATCH]
    answer = httpx2.post(
        f"{scene.web.url}/v1/tokens",
        headers={"Authorization": f"Bearer {scene.key()}", "Content-Type": "application/json"},
        content=json.dumps({"requests": [{"connection": one} for one in ids]}),
        trust_env=False,
    )
    if answer.text.count('"access_token"') != len(ids):
        raise SystemExit(f"a batch of {len(ids)} was answered: {answer.status_code} {answer.text[:500]}")


def _ids(file: Path) -> list[str]:
    return file.read_text().split()
