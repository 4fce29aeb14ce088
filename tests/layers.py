"""An import contract for `lint-imports`: layers, where `features` stands for what `app.main.FEATURES` names.

So a feature of one's own needs no line in pyproject.toml: nothing below may import it, and no other feature.
"""

import ast
from typing import Any

from importlinter.contracts.layers import LayersContract

from app.settings import ROOT


class FeatureLayers(LayersContract):  # type: ignore[misc]
    def __init__(self, name: str, session_options: dict[str, Any], contract_options: dict[str, Any]) -> None:
        layers = contract_options["layers"]
        named = {tail.strip(" ()") for layer in layers for tail in layer.split("|")}  # those that others stand on
        brought = " | ".join(f"({each})" for each in features() if each not in named)
        layers = [brought if layer == "features" else layer for layer in layers]
        super().__init__(name, session_options, contract_options | {"layers": layers})


def features() -> list[str]:
    """The packages below `app`, read and not imported."""
    program = ast.parse((ROOT / "app" / "main.py").read_text())
    named = next(
        ast.literal_eval(node.value)
        for node in program.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FEATURES"
    )
    return list(dict.fromkeys(package.split(".")[1] for package in named))
