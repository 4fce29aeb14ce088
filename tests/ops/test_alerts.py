"""deploy/alerts.yml: every rule is about a figure that /metrics has, and says what to do."""

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from app.audit import events
from app.auth.sessions.rotation_policy import Decision
from app.observability import metrics
from app.ops import metrics_export
from tests.support.environment import ROOT

FILE = ROOT / "deploy" / "alerts.yml"
RULES: list[dict[str, Any]] = [rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]]

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
async def test_rule_is_about_figures_that_are_there(database: str, rule: dict[str, Any]) -> None:
    metrics.answered("/", "GET", 200, 0.1)
    shown = (await metrics_export.text()).decode()
    there = {name for family in REGISTRY.collect() for name in (family.name, f"{family.name}_total")}
    there |= set(re.findall(r"^(lanyard_\w+)", shown, re.MULTILINE))

    assert set(re.findall(r"lanyard_\w+", rule["expr"])) <= there
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"].keys() == {"summary", "action"}


def test_labels_in_rules_are_words_of_the_application() -> None:
    text = FILE.read_text()

    assert set(re.findall(r'decision="(\w+)"', text)) <= {decision.value for decision in Decision}
    assert set(re.findall(r'event="(\w+)"', text)) <= set(events.EVENT_TEXT)


def test_promtool_accepts_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; the other tests read the rules themselves")

    done = subprocess.run([promtool, "check", "rules", str(FILE)], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
