"""The names of password managers and devices that keep passkeys, by AAGUID.

For the owner's list, the audit log and nothing else: without attestation an authenticator may claim any AAGUID, so no
decision depends on it. A USB key has none here: without attestation browsers replace it with zeros.
Source: W3C Web Authentication Level 3, sections 5.1.3 (step 24) and 6.5.2; `authenticator_names.txt`.
"""

from functools import cache
from pathlib import Path

LISTED = Path(__file__).with_name("authenticator_names.txt")


def name_of(aaguid: str) -> str:
    """Such as "Bitwarden"; "" for one that is not listed."""
    return _names().get(aaguid, "")


@cache
def _names() -> dict[str, str]:
    lines = LISTED.read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines if not line.startswith("#"))
