#!/usr/bin/env python3
"""Add keys that stand in public to the hashes of those that are refused: `python3 deploy/published_keys.py < list`.

One key a line. Those that are refused without their hash are left out: too short, or made of what repeats.
The list so far: https://github.com/wallarm/jwt-secrets at 99e2360 (MIT), and what KNOWN names.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "app" / "published_keys.txt"
HEAD = "# The first 64 bits of the SHA-256 of keys that stand in public. Written by deploy/published_keys.py.\n"
# Where each stands. That is all there is to a published key: it opens nothing here.
KNOWN = {
    "RFC 7515 appendix A.1": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "RFC 7520 section 3.5": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
    "RFC 7520 section 3.6": "AAPapAv4LbFbiVawEjagUBluYqN5rhna-8nuldDvOx8",
    "RFC 8037 appendix A.1": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "RFC 8032 section 7.1, test 1": "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "RFC 8032 section 7.1, test 2": "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "RFC 8032 section 7.1, test 3": "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    "FIPS 197, counted up": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "FIPS 197, half of it": "000102030405060708090a0b0c0d0e0f",
    "FastAPI's tutorial": "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "Flask's documentation": "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    "Ravyn's settings": "p7!3cq1rapxd!@l=gz-&&k*h8sk_n8#1#+n6&q@cb&r!^z^2!g",
    "Ravyn's test settings": "n(0t=%_amauq1m&6sde4z#3mkdmfcad1942ny&#sjp1oygk-5_",
    "a Spring Security tutorial": "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    "another one": "5367566B59703373367639792F423F4528482B4D6251655468576D5A71347437",
    "a third one": "3cfa76ef14937c1c0ea519f8fc057a80fcd04a7420f8e8bcd0a7567c272e007b",
}


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from app import weak_secrets

    kept = set(TARGET.read_text().splitlines()[1:]) if TARGET.exists() else set()
    given = [line.rstrip("\r\n") for line in sys.stdin] if not sys.stdin.isatty() else []
    TARGET.write_text(HEAD + "".join(f"{line}\n" for line in sorted(kept)))  # what is read below
    for key in [*given, *KNOWN.values()]:
        if weak_secrets.weakness(key) is None:
            kept.add(weak_secrets.fingerprint(key))
    TARGET.write_text(HEAD + "".join(f"{line}\n" for line in sorted(kept)))


if __name__ == "__main__":
    main()
