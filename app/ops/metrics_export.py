"""Metrics export: the text of /metrics, for one worker or all, plus metrics read from the database."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from app import db
from app.ops import metrics_collection
from app.web import features


async def text() -> bytes:
    """All metrics in Prometheus' text format. Without a database, those read from it are missing."""
    metrics_collection.sample()
    registry = CollectorRegistry()
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        _remove_dead_workers(Path(folder))
        MultiProcessCollector(registry, folder)
        return generate_latest(registry) + await _of_the_database()
    return generate_latest(REGISTRY) + await _of_the_database()


async def _of_the_database() -> bytes:
    registry = CollectorRegistry()
    try:
        for feature in features.registered():
            for read in feature.metrics:
                registry.register(_Given(await read()))
    except db.Unavailable:
        return b""
    return generate_latest(registry)


class _Given:
    """A collector that returns metrics read before, because `collect` cannot await the database."""

    def __init__(self, families: Iterable[Any]) -> None:
        self.collect = lambda: families


def _remove_dead_workers(folder: Path) -> None:
    """Remove the gauges of workers that were killed. Their counters stay, because a counter must never decrease."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))
