"""Fails: edgy: not included"""

from importlib.metadata import requires

included = " ".join(line for line in requires("ravyn") if "extra ==" not in line or "'jwt'" in line)

for package, needed_for in {
    "pyjwt": "tokens",
    "cryptography": "any algorithm but HS256, HS384, HS512",
    "edgy": "ravyn.contrib.auth.edgy, which the page imports",
    "passlib": "ravyn.contrib.auth.hashers, which the user model imports",
}.items():
    print(f"{package}: {'included' if package in included else 'not included'} ({needed_for})")
