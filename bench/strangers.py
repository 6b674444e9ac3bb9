"""What clients with unknown keys cost those with good ones."""

from dataclasses import replace
from pathlib import Path

from bench import load, table
from bench.load import Asking
from bench.scene import CLIENTS, Scene
from bench.table import Row

ASKED_SHARE = 0.9
_STRANGERS = 4


def strangers(scene: Scene) -> list[Row]:
    """Sixteen good clients alone, and beside four whose every key is another that nobody has."""
    turned_away = []
    for number in range(scene.rounds):
        scene.one("good clients alone", scene.web, scene.asking())
        turned_away.append(_beside(scene, number))
    share = table.middle_ratio(scene.rates("beside bad keys"), scene.rates("good clients alone"))
    good = scene.figures["good clients alone"] + scene.figures["beside bad keys"]
    return [
        table.at_least("good clients beside four with bad keys, share of their rate", share, ASKED_SHARE),
        Row("bad keys a second meanwhile", f"{sorted(turned_away)[len(turned_away) // 2]:,.0f}"),
        table.none_bad("good clients", good),
    ]


def _beside(scene: Scene, number: int) -> float:
    """One round with both; return how many bad keys a second were answered."""
    bad = replace(scene.asking(), keys=scene.folder / "strangers", seed=number)
    before = scene.web.spent()
    hammering = load.start(
        scene.web.url, connections=_STRANGERS, seconds=scene.seconds + 1, script=_write(bad, scene, "bad.lua")
    )
    running = load.start(
        scene.web.url, connections=CLIENTS, seconds=scene.seconds, script=_write(scene.asking(), scene, "good.lua")
    )
    good = load.read(running, scene.web.spent, before)
    refused = load.read(hammering, scene.web.spent, before)
    if not refused.bad:
        raise SystemExit("a key that nobody has was good for a token")
    scene.note("beside bad keys", good)
    return refused.rps


def _write(asking: Asking, scene: Scene, name: str) -> Path:
    return asking.write(scene.folder / name)
