"""Roles, and the permissions of each: the one table that decides who may do what (`permissions.requires` asks it).

A permission is a name, `subject:action`. Every action but `read` needs a recent password entry (see `permissions`).
Chapter: "Permissions". Source: v5.0.0-8.2.1, v5.0.0-8.3.1.
"""

EVERYTHING = "*"  # the permissions of all features, those added later included

# Add a role here. Each name must be the permission of a route: the application does not start otherwise.
ROLES: dict[str, frozenset[str]] = {
    "user": frozenset(),
    "admin": frozenset({EVERYTHING}),
    # Such as: "support": frozenset({"users:read", "audit:read"}),
}


def may(role: str, permission: str) -> bool:
    """Whether the role has this permission. A role that is not in the table has none."""
    granted = ROLES.get(role, frozenset())
    return permission in granted or EVERYTHING in granted


def covers(role: str, other: str) -> bool:
    """Whether `role` has every permission of `other`. Without that, nobody may give `other` or act on its holders.

    Otherwise `users:write` alone would be enough to become an administrator.
    """
    return all(may(role, permission) for permission in ROLES.get(other, frozenset()))


def privileged() -> list[str]:
    """The roles with any permission."""
    return [role for role, granted in ROLES.items() if granted]


def check(known: set[str]) -> None:
    """Errors: RuntimeError for a permission in the table that is not in `known`, the permissions of all routes."""
    for role, granted in ROLES.items():
        if unknown := sorted(granted - known - {EVERYTHING}):
            raise RuntimeError(f"no route requires {', '.join(unknown)}, which the role {role} has")
