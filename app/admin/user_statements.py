"""The statements that list users, one text for each combination of filters and order.

However many users there are, a page of them reads as many index entries as it has rows. The statement is a UNION ALL
with one branch for each role and state. Each branch reads an index in the wanted order, and the page takes the first
rows of all branches. A search that few users fit finds all of them first, and sorts them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product
from typing import Any

import sqlalchemy as sa

from app import db
from app.auth.accounts import user_search
from app.auth.models import user_rows
from app.auth.roles import ROLES
from app.auth.sessions import lifetime
from app.web.paging import COUNTED

_u = user_rows.c
COLUMNS = (
    _u.id, _u.name, _u.email, _u.role, _u.is_active, _u.created_at, _u.last_login, _u.delete_after,
    _u.must_change_password, _u.second_factor_at, _u.invited_at, _u.search_text, _u.email_key,
)  # fmt: skip

# What a list may be sorted by -> the columns that decide, the id at last, and whether it runs backwards.
SORTS: dict[str, tuple[tuple[Any, ...], bool]] = {
    "newest": ((_u.id,), True),
    "oldest": ((_u.id,), False),
    "name": ((_u.search_text, _u.id), False),
    "name_desc": ((_u.search_text, _u.id), True),
    "email": ((_u.email_key, _u.id), False),
    "email_desc": ((_u.email_key, _u.id), True),
    "last_login": ((_u.last_login, _u.id), True),
    "last_login_asc": ((_u.last_login, _u.id), False),
}
EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides the text of a list's statement; the values it is run with are parameters.

    `ident`: one person is asked for. `rare` and `common`: how many such words are searched for (see `user_search`).
    `behind`: "" for the first page, "value" behind a row, "nothing" behind one whose sort column is empty. `up`: in
    front of that row instead, and from there back to the beginning.
    """

    sort: str
    role: str
    status: str
    verified: str
    ident: bool
    rare: int
    common: int
    behind: str
    up: bool
    limit: int

    @property
    def few(self) -> bool:
        """Few people fit: they are all found first, and sorted then."""
        return self.ident or bool(self.rare) or self.verified == "no"

    def anywhere(self) -> "Shape":
        """The same people, in no order and from no row on."""
        return replace(self, sort="newest", behind="", up=False, limit=COUNTED + 1)


@lru_cache(256)
def page(shape: Shape) -> Any:
    """The statement of a list; building one takes longer than running it."""
    branches = [sa.select(*COLUMNS).where(*which).order_by(*order) for which, order in _branches(shape)]
    return _merged([branch.limit(shape.limit) for branch in branches], shape)


@lru_cache(64)
def count(shape: Shape) -> Any:
    branches = [sa.select(_u.id).where(*which).limit(shape.limit).subquery() for which, _ in _branches(shape)]
    some = sa.union_all(*(sa.select(branch) for branch in branches)).limit(shape.limit).subquery()
    return sa.select(sa.func.count()).select_from(some)


def _verified(verified: str) -> list[Any]:
    """Few have not confirmed their address: who was invited and did not come in yet (`user_admin.invited`)."""
    came_in, invited = _u.last_login.is_not(None), _u.invited_at > EVER  # a range of the index; "not null" is none
    if verified == "no":
        return [_u.last_login.is_(None), invited]
    return [sa.or_(came_in, _u.invited_at.is_(None))] if verified == "yes" else []


def _branches(shape: Shape) -> Iterator[tuple[list[Any], list[Any]]]:
    """The conditions and the order of each branch, from behind the last row on; one branch where few people fit."""
    which = _verified(shape.verified)
    if shape.rare or shape.common:
        which += user_search.conditions(shape.rare, shape.common)
    if shape.ident:
        which.append(_u.id == sa.bindparam("wanted"))
    keys, backwards = SORTS[shape.sort]
    backwards ^= shape.up
    parts = list(_parts(keys, backwards, shape.behind, shape.up))
    if shape.few:  # no index of the branches may lead
        chosen = [db.unindexed(_u.role) == shape.role] if shape.role else []
        chosen += [db.unindexed(_u.is_active).is_(shape.status == "active")] if shape.status else []
        behind = [sa.or_(*(sa.and_(*part) for part, _ in parts))] if shape.behind else []
        yield [*chosen, *behind, *which], _last_without(user_rows, keys, backwards, shape.up)
        return
    roles = [shape.role] if shape.role else ROLES
    if not shape.role:  # usually nobody, so they are all found first
        gone = [_u.role.in_(of_no_role())]
        gone += [db.unindexed(_u.is_active).is_(shape.status == "active")] if shape.status else []
        gone += [sa.or_(*(sa.and_(*part) for part, _ in parts))] if shape.behind else []
        yield [*gone, *which], _last_without(user_rows, keys, backwards, shape.up)
    states = [shape.status == "active"] if shape.status else [True, False]
    for role, active in product(roles, states):
        for part, order in parts:
            yield [_u.role == role, _u.is_active.is_(active), *part, *which], _along(order, backwards)


def of_no_role() -> Any:
    """The roles that users have and `ROLES` does not: taken out of the table. One step along an index for each role."""
    held = sa.select(sa.func.min(_u.role).label("role")).cte("held", recursive=True)
    other = user_rows.alias("other").c.role
    following = sa.select(sa.func.min(other)).where(other > held.c.role).scalar_subquery()
    held = held.union_all(sa.select(following).where(held.c.role.is_not(None)))
    return sa.select(held.c.role).where(held.c.role.not_in(ROLES))


def _parts(
    keys: tuple[Any, ...], backwards: bool, behind: str, up: bool
) -> Iterator[tuple[list[Any], tuple[Any, ...]]]:
    """One or two branches: two where the column may be empty: who has nothing there comes last in every order."""
    first, rest = keys[0], keys[1:]
    if not first.nullable:
        yield _behind(keys, backwards) if behind else [], keys
        return
    if up or behind != "nothing":
        yield [first.is_not(None), *(_behind(keys, backwards) if behind == "value" else [])], keys
    if not up or behind == "nothing":
        yield [first.is_(None), *(_behind(rest, backwards) if behind == "nothing" else [])], rest


def _behind(keys: tuple[Any, ...], backwards: bool) -> list[Any]:
    here, there = sa.tuple_(*keys), sa.tuple_(*(sa.bindparam(f"last_{key.name}", type_=key.type) for key in keys))
    return [here < there if backwards else here > there]


def _merged(branches: list[Any], shape: Shape) -> Any:
    keys, backwards = SORTS[shape.sort]
    backwards ^= shape.up
    people = sa.union_all(*(sa.select(branch.subquery()) for branch in branches)).subquery("people")
    first = sa.select(people).order_by(*_last_without(people, keys, backwards, shape.up)).limit(shape.limit)
    chosen = first.subquery("page")
    return sa.select(chosen, live_sessions(chosen.c.id)).order_by(*_last_without(chosen, keys, backwards, shape.up))


def _last_without(table: Any, keys: tuple[Any, ...], backwards: bool, up: bool) -> list[Any]:
    columns = tuple(table.c[key.name] for key in keys)
    nothing_there = columns[0].is_(None)
    empty = [nothing_there.desc() if up else nothing_there] if keys[0].nullable else []
    return [*empty, *_along(columns, backwards)]


def _along(keys: tuple[Any, ...], backwards: bool) -> list[Any]:
    return [key.desc() if backwards else key.asc() for key in keys]


def live_sessions(user_id: Any = _u.id) -> Any:
    """The column `sessions`: how many live sessions that user has."""
    live = sa.select(sa.func.count()).where(lifetime.is_live(of=user_id))
    return live.scalar_subquery().label("sessions")
