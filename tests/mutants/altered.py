"""A module of the application, compiled with something changed; the file on the disk stays as it is."""

import ast
import sys
from collections.abc import Callable, Sequence
from functools import WRAPPER_ASSIGNMENTS, update_wrapper
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from types import CodeType, ModuleType
from typing import Any

from tests.support.environment import ROOT

ENTERED = "__entered__"  # what a function that reports itself calls


class Altered:
    """For `sys.meta_path`: the modules of these paths pass through `change(path, tree)` before they are compiled."""

    def __init__(self, paths: Sequence[str], change: Callable[[str, ast.Module], None], **names: Any) -> None:
        self._paths = {path.removesuffix(".py").replace("/", "."): path for path in paths}
        self._change, self._names = change, names

    def install(self) -> None:
        if loaded := self._paths.keys() & sys.modules.keys():
            raise RuntimeError(f"too late for {', '.join(sorted(loaded))}")
        sys.meta_path.insert(0, self)  # type: ignore[arg-type]

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        if name not in self._paths:
            return None
        path = self._paths[name]
        loader = _Loader(name, str(ROOT / path))
        loader.change, loader.names = lambda tree: self._change(path, tree), self._names
        return spec_from_file_location(name, ROOT / path, loader=loader)


class _Loader(SourceFileLoader):
    change: Callable[[ast.Module], None]
    names: dict[str, Any]

    def get_code(self, fullname: str) -> CodeType:
        """Neither read from nor written to what Python has compiled before."""
        tree = ast.parse(self.get_data(self.path))
        self.change(tree)
        return compile(ast.fix_missing_locations(tree), self.path, "exec")

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.update(self.names)
        super().exec_module(module)


class Entered:
    """What functions call that report themselves."""

    def __init__(self) -> None:
        self.now: set[str] = set()

    def __call__(self, name: str) -> None:
        self.now.add(name)

    def around(self, name: str) -> Callable[[Any], Any]:
        """For a function whose answers are remembered: it is entered all the same."""

        def reporting(function: Any) -> Any:
            def asked(*arguments: Any, **more: Any) -> Any:
                self.now.add(name)
                return function(*arguments, **more)

            return update_wrapper(asked, function, assigned=(*WRAPPER_ASSIGNMENTS, "cache_clear", "cache_info"))

        return reporting


def report_entries(path: str, tree: ast.Module) -> None:
    """Each function says when it begins: `__entered__("app/auth/sessions/rotation_policy.py judge")`."""

    def visit(node: ast.AST, where: str) -> None:
        for child in ast.iter_child_nodes(node):
            inside = where
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inside = f"{where}.{child.name}" if where else child.name
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                name = repr(f"{path} {inside}")
                if any("cache" in ast.unparse(decorator) for decorator in child.decorator_list):
                    child.decorator_list.insert(0, ast.parse(f"{ENTERED}.around({name})", mode="eval").body)
                else:
                    child.body.insert(0, ast.parse(f"{ENTERED}({name})").body[0])
            visit(child, inside)

    visit(tree, "")
