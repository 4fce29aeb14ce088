"""Fails: The exp must be a date in the future"""

import os
import time
from datetime import datetime, timedelta

from ravyn.security.jwt.token import Token

for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
    os.environ["TZ"] = zone
    time.tzset()
    moment = datetime.utcnow()  # the time in UTC, without a time zone
    try:
        token = Token(sub="41", iat=moment, exp=moment + timedelta(hours=1))
        minutes = round((token.exp.timestamp() - time.time()) / 60)
        print(f"{zone}: expires in {minutes} minutes")
    except ValueError as error:
        print(f"{zone}: {error.errors()[0]['msg']}")
