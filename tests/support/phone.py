"""An authenticator as people carry one: it knows the secret, and shows the code of the moment."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyotp
import sqlalchemy as sa

from app import db
from app.auth import tokens
from app.auth.models import user_rows
from app.auth.tokens import TokenPair
from app.mfa import enrolment
from app.mfa.proofs import Proof
from tests.support import secrets
from tests.support.people import Person, start_session


@dataclass
class Phone:
    """`pair`: of the session that turned the second step on. `recovery_codes`: what was written down then."""

    secret: str
    pair: TokenPair | None = None
    recovery_codes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        secrets.keep(self.secret)

    def shows(self, now: datetime, **later: float) -> str:
        return pyotp.TOTP(self.secret).at(now + timedelta(**later))

    def never_shows(self, now: datetime) -> str:
        """Six digits that are no code around this moment."""
        near = {self.shows(now, seconds=30 * step) for step in (-1, 0, 1)}
        return next(code for code in (f"{number:06}" for number in range(9)) if code not in near)


async def with_a_phone(person: Person) -> Phone:
    """Turn the second step on for somebody, as the page does it."""
    pair = await start_session(person)
    token = tokens.read(pair.access_token, "access", db.utcnow())
    assert token
    phone = Phone(enrolment.offer(token.sid).secret)
    code = phone.shows(await db.fetch_value(sa.select(db.now())))
    done = await enrolment.turn_on(person.id, token.sid, phone.secret, code, Proof(person.password))
    assert isinstance(done, enrolment.On)
    phone.pair, phone.recovery_codes = done
    secrets.keep(phone.pair.access_token, phone.pair.refresh_token, *phone.recovery_codes)
    return phone


async def is_on(person: Person) -> bool:
    since = await db.fetch_value(sa.select(user_rows.c.second_factor_at).where(user_rows.c.id == person.id))
    return since is not None
