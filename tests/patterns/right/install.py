"""Prints: edgy: imported; passlib: imported"""

# shown: pip install "ravyn[jwt]" edgy aiosqlite "libpass[argon2]" cryptography
from importlib import import_module

for module in ("jwt", "cryptography", "edgy", "aiosqlite", "passlib", "ravyn.contrib.auth.edgy.middleware"):
    import_module(module)
    print(f"{module}: imported")
# /shown
