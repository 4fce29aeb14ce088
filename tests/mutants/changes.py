"""What is changed: a comparison, a condition, a statement, a switch. One change makes one mutant.

Each takes a check away, or moves its edge. What decides nothing (the log, the figures, what a model of the database
declares) is left alone, and so is what another change covers: an equality that is taken away whole is not turned round.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

Operators = dict[type[ast.cmpop], type[ast.cmpop]]
EDGES: Operators = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
OPPOSITE: Operators = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
CONDITIONS = {"where", "and_", "or_", "filter"}  # calls whose arguments are conditions of a statement
# Keyword arguments that bind or limit something. The others are data, or a TypeError where they are missing.
DROPPED = {
    "audience", "bearer", "but", "ends_at", "expected_challenge", "expected_origin", "expected_rp_id", "httponly",
    "issuer", "keep", "marker", "max_age", "max_num_fields", "options", "path", "quick", "refresh_cookie", "remembered",
    "require_user_verification", "retried", "samesite", "second_factor", "secure", "session_ended", "token_sent",
    "unavailable", "where",
}  # fmt: skip
ROWS, A_ROW = {"values", "changes"}, 6  # dicts that change a row; a longer one is a new row, which needs its columns
TOLD = ("log.", "metrics.", "super()", "self.app(", "send(")  # statements that decide nothing, or everything

Apply = Callable[[], None]


@dataclass(frozen=True)
class Change:
    """`where`: the function, or the name at module level. `number`: of those that look alike there."""

    path: str
    where: str
    what: str
    number: int
    apply: Apply  # to the tree that the change was found in

    @property
    def id(self) -> str:
        return f"{self.path} {self.where}: {self.what}" + (f" ({self.number})" if self.number > 1 else "")


def of(path: str, tree: ast.Module) -> list[Change]:
    """Every change of this file, in the order of its lines."""
    found, seen, covered = [], Counter[tuple[str, str]](), _covered(tree)
    for where, node in _nodes(tree, ""):
        for what, apply in _changes(node, node in covered):
            seen[where, what] += 1
            found.append(Change(path, where, what, seen[where, what], apply))
    return found


def _covered(tree: ast.Module) -> set[ast.AST]:
    """What another change takes away whole."""
    covered: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.If(test=test) if _is_permission(node):
                covered.add(test)
            case ast.BoolOp(values=parts) | ast.Tuple(elts=parts):
                covered.update(parts)
            case ast.Call(func=func, args=args) if _name(func) in CONDITIONS:
                covered.update(args)
    return covered


def _nodes(node: ast.AST, where: str) -> Iterator[tuple[str, Any]]:
    named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    for child in node.body if isinstance(node, named) else ast.iter_child_nodes(node):
        inside = where
        match child:
            case ast.ClassDef(bases=bases) if any(ast.unparse(base).startswith("edgy.") for base in bases):
                continue  # the schema, which migrations are compared with
            case ast.Import() | ast.ImportFrom() | ast.Raise():
                continue
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                inside = f"{where}.{name}" if where else name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) if not where:
                inside = name
        yield inside or "module", child
        yield from _nodes(child, inside)


def _changes(node: Any, covered: bool) -> Iterator[tuple[str, Apply]]:
    match node:
        case ast.Compare(ops=ops):
            for number, op in enumerate(ops):
                if other := EDGES.get(type(op)) or (not covered and OPPOSITE.get(type(op))):
                    turned = ast.Compare(node.left, [*ops[:number], other(), *ops[number + 1 :]], node.comparators)
                    yield f"`{_short(turned)}` for `{_short(node)}`", partial(_put, ops, number, other())
        case ast.BoolOp(op=op, values=parts):
            for number, part in enumerate(parts):
                if not isinstance(part, ast.Constant | ast.Dict | ast.List | ast.Tuple):  # those stand in for nothing
                    neutral = ast.Constant(isinstance(op, ast.And))
                    yield f"without `{_short(part)}` in `{_short(node)}`", partial(_put, parts, number, neutral)
        case ast.UnaryOp(op=ast.Not(), operand=operand) if not covered:
            twice = ast.UnaryOp(ast.Not(), operand)
            yield f"`{_short(operand)}` for `{_short(node)}`", partial(setattr, node, "operand", twice)
        case ast.If(test=test) if _is_permission(node) and not _is_or(test):  # an "or" goes by its parts
            yield f"never `if {_short(test)}`", partial(setattr, node, "test", ast.Constant(False))
        case ast.Expr(value=ast.Await(value=ast.Call() as call) | (ast.Call() as call)):
            if not ast.unparse(call).startswith(TOLD):
                yield f"without `{_short(node)}`", partial(setattr, node, "value", ast.Constant(None))
        case ast.Return(value=ast.Constant(value=bool()) as value):
            yield f"return {not value.value}", partial(_turn, value)
        case ast.Tuple(elts=[_, _, *_] as parts) if any(_is_condition(part) for part in parts):
            for number, part in enumerate(parts):
                yield f"without `{_short(part)}` in `{_short(node)}`", partial(_drop, number, parts)
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict(keys=keys, values=values)) if name in ROWS:
            for number, key in enumerate(keys if len(keys) <= A_ROW else []):
                yield f"without {_short(key)} in {name}", partial(_drop, number, keys, values)
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if _is_switch(value):
                    yield f"{_short(key)} is {not value.value}", partial(_turn, value)
        case ast.Call():
            yield from _arguments(node)


def _arguments(node: ast.Call) -> Iterator[tuple[str, Apply]]:
    name = _name(node.func)
    if name in CONDITIONS:
        for number, part in enumerate(node.args):
            yield f"without `{_short(part)}` in {name}()", partial(_without, node.args, number)
    if name == "compare_digest":
        yield f"{name}() is True", partial(setattr, node, "func", _parsed("lambda *_: True"))
    for number, keyword in enumerate(node.keywords):
        value: Any = keyword.value
        if _is_switch(value):
            yield f"{keyword.arg}={not value.value} in {name}()", partial(_turn, value)
        elif keyword.arg in DROPPED:
            yield f"without {keyword.arg}= in {name}()", partial(_drop, number, node.keywords)


def _is_permission(node: ast.If) -> bool:
    return isinstance(node.body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)


def _is_or(node: ast.expr) -> bool:
    return isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or)


def _is_switch(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def _is_condition(node: ast.expr) -> bool:
    """Does it say something of a column?"""
    column = ast.unparse(node.left if isinstance(node, ast.Compare) else node)
    return ".c." in column or column.startswith(("_s.", "_u."))


def _name(func: ast.expr) -> str:
    return str(getattr(func, "attr", getattr(func, "id", "")))


def _short(node: ast.AST | None) -> str:
    text = " ".join(ast.unparse(node).split()) if node else ""
    return text if len(text) <= 90 else f"{text[:87]}..."


def _parsed(expression: str) -> ast.expr:
    return ast.parse(expression, mode="eval").body


def _put(where: list[Any], number: int, what: Any) -> None:
    where[number] = what


def _turn(switch: ast.Constant) -> None:
    switch.value = not switch.value


def _drop(number: int, *lists: list[Any]) -> None:
    for each in lists:
        del each[number]


def _without(conditions: list[Any], number: int) -> None:
    del conditions[number]
    if not conditions:
        conditions.append(_parsed("sa.true()"))
