"""Feature registry: what each feature brings, said once, in its own package.

`app.main.FEATURES` names the packages, and each of them has a `FEATURE`. Whatever has to list something (routes,
navigation, admin tabs, notices, the data export, e-mails, maintenance, metrics) asks here and knows no feature by name.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any, Literal, NamedTuple, get_args
from uuid import UUID

from app.settings import Settings, get_settings


def everyone(user: Any) -> bool:
    return True


def signed_in(user: Any) -> bool:
    return bool(user.is_authenticated)


class Link(NamedTuple):
    """An entry of the navigation. `shown(user)`: who sees it; who may open it is the permission of its route.

    `href`: an address, or what says it for a user and says "" where the entry is not shown.
    """

    href: str | Callable[[Any], str]
    text: str
    shown: Callable[[Any], bool] = everyone


class Notice(NamedTuple):
    """What a page says once after something was done (see `notices`)."""

    kind: Literal["success", "info", "warning", "error"]
    text: str


def always(settings: Settings) -> bool:
    return True


def in_development(settings: Settings) -> bool:
    return settings.is_development


@dataclass(frozen=True, kw_only=True, slots=True)
class Feature:
    """What a feature brings; all of it but the name may be left out.

    Where features have a name for a thing (a notice, an export, an e-mail, a task), no two may use the same one.
    """

    name: str
    # Whether routes and menus are there at all. The rest is always.
    enabled: Callable[[Settings], bool] = always
    # Gateways of `permissions.private` and its like. Of two that fit an address the first one counts.
    routes: Sequence[Any] = ()
    navigation: Sequence[Link] = ()
    # Address -> text. A tab is shown to whom its route allows; the footer in development alone.
    admin_tabs: Mapping[str, str] = field(default_factory=dict)
    footer: Mapping[str, str] = field(default_factory=dict)
    # Code -> the notice that `see_other(..., notice=code)` leaves.
    notices: Mapping[str, Notice] = field(default_factory=dict)
    # Name in the data export -> what is stored about the person with that id, item by item (`db.owned_rows`).
    export: Mapping[str, Callable[[UUID], AsyncIterator[Mapping[str, Any]]]] = field(default_factory=dict)
    # Kind of e-mail -> its composer (`email.messages.Composer`).
    emails: Mapping[str, Callable[[Any], Awaitable[Any]]] = field(default_factory=dict)
    # Names that its e-mail templates ask for -> made-up values, for the samples in the development mailbox.
    email_samples: Mapping[str, Any] = field(default_factory=dict)
    # What is deleted -> a task that does it every hour, given the database's time; it returns the number of rows.
    maintenance: Mapping[str, Callable[[datetime], Awaitable[int]]] = field(default_factory=dict)
    # Figures that are read from the database for each request to /metrics: Prometheus' metric families.
    metrics: Sequence[Callable[[], Awaitable[Iterable[Any]]]] = ()
    # eject:
    # What `eject` deletes, as globs from the root of the project; nothing for what cannot be taken out.
    eject: Sequence[str] = ()
    description: str = ""
    # Part that has to go with it, or before -> why. `eject` refuses to leave it behind.
    eject_needs: Mapping[str, str] = field(default_factory=dict)
    # /eject


Table = Literal["notices", "export", "emails", "email_samples", "maintenance"]
_features: tuple[Feature, ...] = ()


def register(packages: Iterable[str]) -> None:
    """Import these packages and keep the FEATURE of each, in this order. Errors: RuntimeError for a name used twice."""
    global _features
    _features = tuple(import_module(package).FEATURE for package in packages)
    _permissions_at.cache_clear()
    names = [feature.name for feature in _features]
    for kind in get_args(Table):
        names += [f"{kind}: {name}" for feature in _features for name in getattr(feature, kind)]
    if twice := {name for name in names if names.count(name) > 1}:
        raise RuntimeError(f"two features use the same name: {', '.join(sorted(twice))}")


def registered() -> tuple[Feature, ...]:
    """Every feature, in the order of `app.main.FEATURES`. Errors: RuntimeError before `app.main` is imported."""
    if not _features:
        raise RuntimeError("no feature is registered: import app.main first")
    return _features


def enabled() -> list[Feature]:
    """Those whose routes and menus are there, by the settings."""
    settings = get_settings()
    return [feature for feature in registered() if feature.enabled(settings)]


def table(kind: Table) -> dict[str, Any]:
    """Name -> what it stands for, over all features."""
    return {name: value for feature in registered() for name, value in getattr(feature, kind).items()}


def navigation(user: Any) -> list[tuple[str, str]]:
    """Address and text of the entries that this visitor sees."""
    links = [link for feature in enabled() for link in feature.navigation if link.shown(user)]
    entries = [(link.href if isinstance(link.href, str) else link.href(user), link.text) for link in links]
    return [entry for entry in entries if entry[0]]


def admin_tabs(user: Any) -> list[tuple[str, str]]:
    """Address and text of the tabs that this user may open, those of the feature `admin` first."""
    return list(_admin_tabs(user))


def _admin_tabs(user: Any) -> Iterator[tuple[str, str]]:
    for feature in sorted(enabled(), key=lambda feature: feature.name != "admin"):
        for path, text in feature.admin_tabs.items():
            if any(permission.allows(user) for permission in _permissions_at(path)):
                yield path, text


@cache
def _permissions_at(path: str) -> list[Any]:
    """Those of the routes with this address; looked up once, for every page asks for the tabs."""
    return [route.permission for feature in registered() for route in feature.routes if route.path == path]


def first_admin_tab(user: Any) -> str:
    """The address of the first tab that this user may open; "" for none."""
    return next((path for path, _ in _admin_tabs(user)), "")


def footer() -> list[tuple[str, str]]:
    """Address and text of each entry."""
    return [entry for feature in enabled() for entry in feature.footer.items()]
