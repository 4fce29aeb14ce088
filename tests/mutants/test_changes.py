"""The changes themselves: which checks of a piece of code are taken away, and how."""

import ast
from textwrap import dedent

import pytest

from tests.mutants import changes
from tests.mutants.__main__ import CHECKED
from tests.mutants.altered import Altered
from tests.support.environment import ROOT


def mutants(code: str) -> dict[str, str]:
    """What is changed -> what the code is then."""
    found = {}
    for number, change in enumerate(changes.of("some.py", ast.parse(dedent(code)))):
        tree = ast.parse(dedent(code))
        changes.of("some.py", tree)[number].apply()
        found[change.id] = ast.unparse(ast.fix_missing_locations(tree))
    return found


@pytest.mark.parametrize(
    ("code", "after"),
    [
        ("x = age <= limit", ["x = age < limit"]),
        ("x = sub != owner", ["x = sub == owner"]),
        ("x = is_active and in_time", ["x = True and in_time", "x = is_active and True"]),
        ("x = token.quick or 0", ["x = False or 0"]),
        ("if not ok:\n    raise Wrong", ["if False:\n    raise Wrong"]),
        ("if a or b:\n    raise Wrong", ["if False or b:\n    raise Wrong", "if a or False:\n    raise Wrong"]),
        ("if late:\n    seen = 1", []),
        ("x = sa.update(t).where(t.c.id == 1)", ["x = sa.update(t).where(sa.true())"]),
        ("x = sa.and_(one, *others)", ["x = sa.and_(*others)", "x = sa.and_(one)"]),
        ("x = (t.c.id == one, t.c.used_at.is_(None))", ["x = (t.c.used_at.is_(None),)", "x = (t.c.id == one,)"]),
        ("x = (1, 2)", []),
        ("await announce(tx, user_id=one)", ["None"]),
        ("log.info('told')", []),
        ("x = await announce(tx)", []),
        ("values = {'password': new, 'used': True}", ["values = {'used': True}", "values = {'password': new}",
                                                     "values = {'password': new, 'used': False}"]),
        ("x = {'strict_aud': True}", ["x = {'strict_aud': False}"]),
        ("x = decode(raw, issuer=us, key=k, strict=True)", ["x = decode(raw, key=k, strict=True)",
                                                           "x = decode(raw, issuer=us, key=k, strict=False)"]),
        ("x = compare_digest(a, b)", ["x = (lambda *_: True)(a, b)"]),
        ("class User(edgy.StrictModel):\n    index = f(unique=True)", []),
        ("@dataclass(frozen=True)\nclass Pair:\n    one: str", []),
        ("def f(deep: bool=True):\n    return True", ["def f(deep: bool=True):\n    return False"]),
    ],
)  # fmt: skip
def test_each_change_takes_one_check_away(code: str, after: list[str]) -> None:
    assert list(mutants(code).values()) == after


def test_change_says_where_it_is_and_which_of_two_that_look_alike() -> None:
    code = """
        STATEMENT = sa.select(rows).where(rows.c.id == 1)

        async def f():
            def inside():
                tell()
                tell()
    """

    assert list(mutants(code)) == [
        "some.py STATEMENT: without `rows.c.id == 1` in where()",
        "some.py f.inside: without `tell()`",
        "some.py f.inside: without `tell()` (2)",
    ]


def test_every_checked_file_has_checks_and_each_change_a_name_of_its_own() -> None:
    for path in CHECKED:
        ids = [change.id for change in changes.of(path, ast.parse((ROOT / path).read_text()))]
        assert len(set(ids)) == len(ids) > 0, path


def test_module_that_is_there_already_is_not_changed_behind_our_back() -> None:
    import app.auth.sessions.rotation_policy  # noqa: F401

    with pytest.raises(RuntimeError, match=r"app\.auth\.sessions\.rotation_policy"):
        Altered(["app/auth/sessions/rotation_policy.py"], lambda path, tree: None).install()
