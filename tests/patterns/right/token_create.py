"""Prints: Asia/Tokyo: expires in 60 minutes; America/New_York: expires in 60 minutes"""

# shown
import os
import time
from datetime import UTC, datetime, timedelta

from ravyn.security.jwt.token import Token

for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
    os.environ["TZ"] = zone
    time.tzset()
    now = datetime.now(UTC)  # with its time zone
    token = Token(sub="41", iat=now, exp=now + timedelta(hours=1))
    print(f"{zone}: expires in {round((token.exp.timestamp() - time.time()) / 60)} minutes")
# /shown
