"""TLS to PostgreSQL: the driver's `ssl` argument for an address, as libpq reads `sslmode` and the certificates.

Source: PostgreSQL, "SSL Support" (libpq-ssl).
"""

import ssl
from typing import Any

from app.database_options import CERTAIN
from app.database_urls import Address


def ssl_argument(address: Address) -> Any:
    """The driver's `ssl` argument. Errors: ValueError about a file that cannot be used."""
    mode, options = address.sslmode, address.options
    if mode not in CERTAIN:
        return {"": None, "disable": False}.get(mode, mode)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == "verify-full"
    named, file = "sslrootcert", address.authorities
    try:
        if file:
            context.load_verify_locations(cafile=file)
        elif mode == "require":
            context.verify_mode = ssl.CERT_NONE
        else:
            context.load_default_certs()
        if "sslcert" in options:
            named, file = "sslcert or sslkey", options["sslcert"]
            context.load_cert_chain(file, options["sslkey"], password=lambda: "")
    except OSError as error:
        raise ValueError(f"has an {named} that cannot be used ({file}): {error.strerror or error}") from None
    return context
