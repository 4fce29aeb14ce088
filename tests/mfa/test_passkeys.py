"""Passkeys: what a good device signs lets in, and nothing else does."""

import asyncio
import json
import re
from dataclasses import replace
from html import unescape
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import cbor2
import httpx
import pytest
import sqlalchemy as sa
from cachetools import LRUCache
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import db
from app.audit import events, queries
from app.auth import email_links, keys, passwords, tokens
from app.auth.accounts import email_change, login_flow, logout_flow, password_reset, user_admin
from app.auth.errors import SessionEnded
from app.auth.keys import b64
from app.auth.models import counter_rows, user_rows
from app.auth.rate_limit import quotas
from app.mfa import authenticators, enrolment, passkeys, re_encryption, webauthn
from app.mfa.models import passkey_rows
from app.settings import get_settings
from app.web import forms
from app.web.email_address import email_key
from tests.support.account_state import happened
from tests.support.clock import Clock
from tests.support.device import (
    BACKED_UP,
    ELIGIBLE,
    LATTICE,
    NO_AAGUID,
    PRESENT,
    VERIFIED,
    Device,
    added,
    offered,
    session_of,
    with_a_byte_changed,
    with_a_device,
)
from tests.support.environment import ORIGIN
from tests.support.mailbox import emails_to
from tests.support.people import PASSWORD, Person, make_user, sign_in
from tests.support.phone import with_a_phone
from tests.support.sent import cookies_set
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio
HERE = "/account/passkeys"
NEW = "quite another long passphrase"
PARTS = ["clientDataJSON", "authenticatorData", "signature"]


@pytest.fixture(autouse=True)
def nobody_counted_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage is counted by place, in this process: what comes from here must not be held against other tests."""
    monkeypatch.setattr(quotas, "_tallies", LRUCache(100))


def asks(purpose: str = webauthn.SIGN_IN) -> dict[str, Any]:
    return webauthn.to_sign(purpose)


# v5.0.0-6.3.3
@pytest.mark.parametrize("counts", [True, False], ids=["counts", "does not count"])
async def test_device_signs_in_without_a_password(database: str, counts: bool) -> None:
    person = await make_user()
    device = await with_a_device(person, counts=counts)

    for uses in (1, 2):
        signed_in = await passkeys.sign_in(device.get(asks()))
        assert signed_in
        token = tokens.read(signed_in.pair.access_token, "access", db.utcnow())
        assert token
        assert token.sub == str(person.id)
        (row,) = await passkeys.of_user(person.id)
        assert (row.uses, row.last_used_at is None) == (uses * counts, False)
    assert (await happened(person)).count(events.LOGIN) == 2


# v5.0.0-11.1.4
@pytest.mark.parametrize("kind", LATTICE)
async def test_device_with_a_post_quantum_key_signs_in(client: Visitor, database: str, kind: Any) -> None:
    """ML-DSA: keys of some kilobytes, through the form as every other one."""
    person = await make_user()
    await sign_in(client, person)
    device = Device(key=kind.generate())
    page = await client.visit(HERE)
    assert LATTICE[kind] in [each["alg"] for each in asked_on(page)["pubKeyCredParams"]]
    form = {"name": "Mine", "credential": device.create(asked_on(page)), "current_password": PASSWORD}
    assert (await client.submit(HERE, form)).status_code == 303

    for _ in range(2):
        assert await passkeys.sign_in(device.get(asks()))
    changed = with_a_byte_changed(device.get(asks()), "signature", 100)
    assert await passkeys.sign_in(changed) is None


async def test_passkey_login_requires_no_second_step(database: str) -> None:
    """It is two factors by itself: the device, and whatever unlocks it."""
    person = await make_user()
    device = await with_a_device(person)
    await with_a_phone(person)

    assert isinstance(await passkeys.sign_in(device.get(asks())), login_flow.Login)


# v5.0.0-6.7.2
async def test_answer_is_good_once(database: str) -> None:
    device = await with_a_device(await make_user())
    answer = device.get(asks())

    assert await passkeys.sign_in(answer)
    assert await passkeys.sign_in(answer) is None


@pytest.mark.race
async def test_one_answer_in_many_places_at_once_signs_in_once(database: str) -> None:
    """v5.0.0-2.3.4"""
    device = await with_a_device(await make_user())
    answer = device.get(asks())

    outcomes = await asyncio.gather(*(passkeys.sign_in(answer) for _ in range(8)))

    assert sum(outcome is not None for outcome in outcomes) == 1


async def test_challenge_is_over_after_an_hour(clock: Clock, database: str) -> None:
    device = await with_a_device(await make_user())
    options = asks()
    clock.forward(hours=1)

    assert await passkeys.sign_in(device.get(options)) is None


def test_challenges_are_ours_each_another_and_all_as_long(clock: Clock) -> None:
    """v5.0.0-6.7.2, v5.0.0-11.5.1"""
    made = [webauthn.challenge("x", clock.now) for _ in range(1000)]

    assert len(set(made)) == 1000
    assert {len(each) for each in made} == {len(made[0])}
    assert all(
        keys.verify_challenge("x", each, clock.now) and not keys.verify_challenge("y", each, clock.now) for each in made
    )
    nonce, ends, mac = made[0].split(".")
    for forged in (
        "",
        ".",
        "..",
        nonce,
        f"{nonce}.{ends}",
        f"{nonce}.{int(ends) + 1}.{mac}",
        f"A{made[0]}",
        f"{made[0]}A",
    ):
        assert not keys.verify_challenge("x", forged, clock.now)


# v5.0.0-6.5.7
@pytest.mark.parametrize(
    "other",
    [
        {"origin": "https://testserver.evil.example"},
        {"origin": ORIGIN.replace("https", "http")},
        {"origin": "null"},
        {"host": "evil.example"},
        {"flags": PRESENT},  # nobody made sure who holds it
        {"flags": VERIFIED},  # nobody touched it
        {"flags": 0},
        {"challenge": "AAAAAAAAAAAAAAAAAAAAAA.4000000000.AAAA"},
        {"challenge": ""},
        {"said": {"crossOrigin": True, "topOrigin": "https://evil.example"}},
        {"said": {"crossOrigin": True, "topOrigin": ORIGIN}},
        {"said": {"crossOrigin": True}},
        {"said": {"crossOrigin": "true"}},
        {"said": {"topOrigin": "https://evil.example"}},
        {"said": {"topOrigin": None}},
    ],
    ids=str,
)
async def test_what_another_page_or_a_careless_device_signed_is_none(database: str, other: dict[str, Any]) -> None:
    person = await make_user()
    device = await with_a_device(person)
    sid, options = await offered(person)

    assert await passkeys.sign_in(device.get(asks(), **other)) is None
    assert not await added(person, sid, Device().create(options, **other))
    assert len(await passkeys.of_user(person.id)) == 1
    assert await passkeys.sign_in(device.get(asks()))


async def test_answer_to_one_question_answers_no_other(database: str) -> None:
    person, other = await make_user(), await make_user()
    device = await with_a_device(person)
    mine, theirs = await session_of(person), await session_of(other)

    assert await passkeys.sign_in(device.get(asks(webauthn.stepping_up(mine)))) is None
    assert await passkeys.sign_in(device.get(asks(webauthn.adding(mine)))) is None
    assert await passkeys.step_up(person.id, mine, device.get(asks())) is None
    assert await passkeys.step_up(person.id, mine, device.get(asks(webauthn.stepping_up(theirs)))) is None
    assert await passkeys.step_up(other.id, theirs, device.get(asks(webauthn.stepping_up(theirs)))) is None
    sid, options = await offered(other)
    assert not await added(person, mine, Device().create(options))
    assert await added(other, sid, Device().create(await offered_in(other, sid)))


async def offered_in(person: Person, sid: Any) -> dict[str, Any]:
    return webauthn.to_add(SimpleNamespace(id=person.id, sid=sid, email=person.email, name="N"), ())


@pytest.mark.parametrize("name", ["\0", "a\0b", "\ud800", "", "a" * 2000, "a b", 7, None, ["a"], {}])
async def test_id_that_no_passkey_has_is_no_error(client: Visitor, name: Any) -> None:
    person = await make_user()
    device = await with_a_device(person)
    answer = json.loads(device.get(asks())) | {"id": name}

    response = await client.submit("/login/passkey", {"credential": json.dumps(answer)})

    assert (response.status_code, "notice=passkey_not_good" in response.headers["location"]) == (303, True)


async def test_answer_that_stands_for_work_is_refused_before_it_is_decoded(database: str, logged: list[Any]) -> None:
    """A tag of CBOR has a pattern compiled: some kilobytes of it kept a core busy for a quarter of a minute."""
    person = await make_user()
    sid, options = await offered(person)
    answer = json.loads(Device().create(options))
    tagged = cbor2.dumps({"fmt": "none", "attStmt": {"x": cbor2.CBORTag(35, "a+")}, "authData": bytes(37)})
    answer["response"]["attestationObject"] = b64(tagged)

    assert passkeys.made(json.dumps(answer), webauthn.adding(sid)) is None

    assert [event for event in logged if event["event"] == "passkey_refused"] == []  # the library was not asked


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("at", [0, 7, 33, 36, -1])
async def test_altered_response_is_refused_and_recorded(database: str, part: str, at: int) -> None:
    person = await make_user()
    device = await with_a_device(person)

    assert await passkeys.sign_in(with_a_byte_changed(device.get(asks()), part, at)) is None

    # What is no answer to us is nobody's; what is one, and wrong, is about the account.
    assert (events.PASSKEY_REFUSED in await happened(person)) is (part != "clientDataJSON")


async def test_key_of_another_account_is_refused(database: str) -> None:
    person = await make_user()
    device = await with_a_device(person)
    attacker = Device(credential=device.credential, owner=device.owner)

    assert await passkeys.sign_in(attacker.get(asks())) is None
    assert await passkeys.sign_in(Device().get(asks())) is None


async def test_device_that_names_another_account_is_none(database: str) -> None:
    """W3C Web Authentication, section 7.2: the user handle says whose the credential is."""
    device, other = await with_a_device(await make_user()), await make_user()

    for owner in (b64(other.id.bytes), "", None):
        assert await passkeys.sign_in(device.get(asks(), owner=owner)) is None


async def test_answer_that_added_one_does_not_add_it_again(database: str) -> None:
    person, device = await make_user(), Device()
    sid, options = await offered(person)
    answer = device.create(options)
    assert await added(person, sid, answer)
    (row,) = await passkeys.of_user(person.id)
    assert await passkeys.remove(person.id, row.id)

    assert not await added(person, sid, answer)


async def test_removed_between_signature_and_session_is_removed(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    person = await make_user()
    device = await with_a_device(person)

    async def and_then_removed(*asked: Any, signed: Any = passkeys._signed) -> Any:
        row = await signed(*asked)
        assert await passkeys.remove(person.id, row.id)
        return row

    monkeypatch.setattr(passkeys, "_signed", and_then_removed)

    assert await passkeys.sign_in(device.get(asks())) is None


async def test_copy_of_a_device_that_counts_is_found(database: str) -> None:
    """W3C Web Authentication, section 6.1.1: the counter of one of the two falls behind."""
    person = await make_user()
    device = await with_a_device(person, counts=True)
    copy = Device(device.key, device.credential, counts=True, uses=device.uses, owner=device.owner)
    assert await passkeys.sign_in(device.get(asks()))
    assert await passkeys.sign_in(device.get(asks()))

    assert await passkeys.sign_in(copy.get(asks())) is None
    assert events.PASSKEY_REFUSED in await happened(person)


async def test_two_uses_of_one_count_at_once_are_one(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device and its copy sign at once: the second must be refused although its row was read before the first use."""
    person = await make_user()
    device = await with_a_device(person, counts=True)
    copy = Device(device.key, device.credential, counts=True, uses=device.uses, owner=device.owner)

    async def and_then_the_other(*asked: Any, first_time: Any = passkeys._first_use) -> bool:
        monkeypatch.undo()
        assert await passkeys.sign_in(device.get(asks()))
        return bool(await first_time(*asked))

    monkeypatch.setattr(passkeys, "_first_use", and_then_the_other)

    assert await passkeys.sign_in(copy.get(asks())) is None
    assert (await happened(person)).count(events.LOGIN) == 1


@pytest.mark.parametrize(("made", "used"), [(0, ELIGIBLE), (0, ELIGIBLE | BACKED_UP), (ELIGIBLE, 0)])
async def test_key_that_was_made_for_one_device_is_not_one_for_several(database: str, made: int, used: int) -> None:
    """W3C Web Authentication, section 7.2: whether it can be backed up never changes."""
    person = await make_user()
    device = await with_a_device(person, backup=made)
    device.backup = used

    assert await passkeys.sign_in(device.get(asks())) is None
    assert events.PASSKEY_REFUSED in await happened(person)

    device.backup = made
    assert await passkeys.sign_in(device.get(asks()))


@pytest.mark.parametrize("backup", [0, ELIGIBLE, ELIGIBLE | BACKED_UP])
async def test_page_says_whether_other_devices_have_it(client: Visitor, backup: int) -> None:
    person = await make_user()
    device = await with_a_device(person, backup=backup)
    await sign_in(client, person)
    words = ["this device only", "synced"]

    (row,) = await passkeys.of_user(person.id)
    page = (await client.visit(HERE)).text

    assert (row.backup_eligible, row.backed_up) == (backup & ELIGIBLE > 0, backup & BACKED_UP > 0)
    assert [word in page for word in words] == [not row.backed_up, row.backed_up]
    if backup:  # the device has passed it on, or the last other one has lost it
        device.backup = backup ^ BACKED_UP
        assert await passkeys.sign_in(device.get(asks()))
        (row,) = await passkeys.of_user(person.id)
        assert (row.backup_eligible, row.backed_up) == (True, device.backup & BACKED_UP > 0)


BITWARDEN, UNLISTED = "d548826e-79b4-db40-a3d8-11116f7e8349", "d548826e-79b4-db40-a3d8-11116f7e834a"


@pytest.mark.parametrize(
    ("aaguid", "typed", "stored", "name", "told"),
    [
        (BITWARDEN, "", BITWARDEN, "Bitwarden", "Bitwarden"),
        (BITWARDEN, "Mine", BITWARDEN, "Mine", "Bitwarden"),
        (UNLISTED, "", UNLISTED, "Unknown device", ""),
        (NO_AAGUID, "", "", "Unknown device", ""),  # a USB key
    ],
)
async def test_passkey_is_named_after_what_keeps_it(
    client: Visitor, aaguid: str, typed: str, stored: str, name: str, told: str
) -> None:
    person = await make_user()
    await with_a_device(person, name=typed, aaguid=aaguid)
    await sign_in(client, person)

    (row,) = await passkeys.of_user(person.id)
    page = (await client.visit(HERE)).text

    assert (row.aaguid, row.name) == (stored, name)
    assert f"<bdi>{name}</bdi>" in page
    assert ("· in Bitwarden" in page) == (bool(told) and name != told)
    await passkeys.remove(person.id, row.id)
    logged = await queries.of_user(person.id)
    assert {each.event: each.detail for each in logged if "passkey" in each.event} == {
        events.PASSKEY_ADDED: told,
        events.PASSKEY_REMOVED: told,
    }
    assert ("<p>Bitwarden</p>" in (await client.visit("/account/activity")).text) == bool(told)


def test_listed_names_are_text_that_a_name_may_be(clock: Clock) -> None:
    """They become the names of passkeys, which the form would have checked."""
    lines = [line for line in authenticators.LISTED.read_text().splitlines() if not line.startswith("#")]

    for line in lines:
        aaguid, _, name = line.partition(" ")
        assert str(UUID(aaguid)) == aaguid
        assert forms.Line(1, 80).check(name) == name == authenticators.name_of(aaguid)
    assert len({line.partition(" ")[0] for line in lines}) == len(lines) > 50


async def test_key_from_before_is_what_it_says_at_its_next_use(client: Visitor) -> None:
    person = await make_user()
    device = await with_a_device(person, backup=ELIGIBLE | BACKED_UP)
    await db.execute(sa.update(passkey_rows).values(backup_eligible=None, backed_up=None))
    await sign_in(client, person)
    assert "synced" not in (await client.visit(HERE)).text

    assert await passkeys.sign_in(device.get(asks()))

    assert "synced" in (await client.visit(HERE)).text
    device.backup = 0
    assert await passkeys.sign_in(device.get(asks())) is None


async def test_device_of_a_deactivated_account_is_none(database: str) -> None:
    person, admin = await make_user(), await make_user(role="admin")
    device = await with_a_device(person)
    await user_admin.change(person.id, admin.id, is_active=False)

    assert await passkeys.sign_in(device.get(asks())) is None


# v5.0.0-6.5.6
async def test_removed_passkey_stops_at_once_and_the_owner_gets_an_email(database: str) -> None:
    person, other = await make_user(), await make_user()
    device = await with_a_device(person)
    (row,) = await passkeys.of_user(person.id)
    answer = device.get(asks())

    assert not await passkeys.remove(other.id, row.id)
    assert await passkeys.remove(person.id, row.id)
    assert not await passkeys.remove(person.id, row.id)

    assert await passkeys.sign_in(answer) is None
    subjects = [email_message.subject for email_message in await emails_to(person.email)]
    assert subjects == ["A passkey was added", "A passkey was removed"]  # v5.0.0-6.3.7


async def link_for(person: Person, purpose: str, **values: Any) -> str:
    async with db.transaction() as tx:
        return email_links.token(await email_links.make(tx, purpose, db.utcnow(), user_id=person.id, **values))


async def test_recovery_by_email_voids_the_passkey_of_an_attacker(database: str) -> None:
    person = await make_user()
    device = await with_a_device(person)
    encoded = await db.fetch_value(sa.select(user_rows.c.password).where(user_rows.c.id == person.id))
    reset = await link_for(person, email_links.RESET, fingerprint=passwords.fingerprint(encoded))

    assert await password_reset.reset(reset, NEW)

    assert await passkeys.sign_in(device.get(asks())) is None
    assert await passkeys.of_user(person.id) == []
    own = await with_a_device(
        replace(person, password="quite another long passphrase")
    )  # and the void one is cleared away
    assert await passkeys.sign_in(own.get(asks()))
    assert len(await db.fetch_all(sa.select(passkey_rows))) == 1

    address = {"email": person.email, "email_key": email_key(person.email)}
    assert await email_change.undo_email(await link_for(person, email_links.UNDO_EMAIL, **address), db.utcnow())
    assert await passkeys.sign_in(own.get(asks())) is None


async def test_form_that_was_under_way_when_the_session_ended_adds_nothing(database: str) -> None:
    person = await make_user()
    sid, options = await offered(person)
    await logout_flow.end_own_session(person.id, sid)

    with pytest.raises(SessionEnded):
        await added(person, sid, Device().create(options))
    assert await passkeys.of_user(person.id) == []


async def test_same_device_may_come_back_after_that(database: str) -> None:
    person = await make_user()
    device = await with_a_device(person)
    await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(passkeys_since=db.now()))
    sid, options = await offered(person)

    assert options["excludeCredentials"] == []
    assert await added(person, sid, device.create(options))
    assert await passkeys.sign_in(device.get(asks()))


async def test_one_credential_is_of_one_account(database: str) -> None:
    person, other = await make_user(), await make_user()
    device = await with_a_device(person)
    sid, options = await offered(other)

    assert not await added(other, sid, device.create(options))
    assert [row.user_id for row in await db.fetch_all(sa.select(passkey_rows))] == [person.id]


async def test_known_devices_are_named_so_that_none_is_added_twice(database: str) -> None:
    person = await make_user()
    device = await with_a_device(person)

    _, options = await offered(person)

    assert options["excludeCredentials"] == [{"type": "public-key", "id": b64(device.credential)}]
    assert options["authenticatorSelection"] == {"residentKey": "required", "userVerification": "required"}


async def test_twenty_are_the_most(database: str) -> None:
    person = await make_user()
    for _ in range(passkeys.MOST):
        await with_a_device(person)
    sid, options = await offered(person)

    assert not await added(person, sid, Device().create(options))


# v5.0.0-6.7.1
async def test_key_that_was_put_into_another_row_opens_nothing(database: str) -> None:
    person, attacker = await make_user(), await make_user()
    await with_a_device(person)
    device = await with_a_device(attacker)
    moved = sa.update(passkey_rows).where(passkey_rows.c.user_id == attacker.id).values(user_id=person.id)
    await db.execute(moved)

    for owner in (person, attacker):
        assert await passkeys.sign_in(device.get(asks(), owner=b64(owner.id.bytes))) is None


async def test_new_secret_of_the_site_takes_the_old_ones_keys_over(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await with_a_device(await make_user())
    ours = get_settings()
    monkeypatch.setattr(ours, "verifying_secret_keys", ours.secret_key)
    monkeypatch.setattr(ours, "secret_key", "another secret of more than thirty-two random bytes")
    assert await passkeys.sign_in(device.get(asks()))

    assert await re_encryption.re_encrypt() == 1

    monkeypatch.setattr(ours, "verifying_secret_keys", "")
    assert await passkeys.sign_in(device.get(asks()))
    monkeypatch.setattr(ours, "secret_key", "and one more, which nobody has ever told this database")
    assert await re_encryption.re_encrypt() == 0
    assert await passkeys.sign_in(device.get(asks())) is None


@pytest.fixture
async def device(database: str) -> Device:
    return await with_a_device(await make_user())


HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.just("x" * 20_000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@given(
    path=st.sampled_from(
        [
            ("id",), ("rawId",), ("type",), ("response",), ("response", "clientDataJSON"),
            ("response", "authenticatorData"), ("response", "signature"), ("response", "userHandle"),
        ]
    ),
    value=HOSTILE,
)  # fmt: skip
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_anything_at_all_in_an_answer_is_none(device: Device, path: tuple[str, ...], value: Any) -> None:
    """v5.0.0-15.3.5"""
    answer = json.loads(device.get(asks()))
    place = answer
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    assert await passkeys.sign_in(json.dumps(answer)) is None, (path, value)
    assert await passkeys.sign_in(json.dumps(value)) is None


@pytest.mark.parametrize(
    "answer", ["", "x", "{}", "[]", "null", "1", '"x"', "{" * 5000, "x" * 20_000, '{"response": 1}']
)
async def test_what_is_no_answer_is_none(database: str, answer: str) -> None:
    person = await make_user()
    sid = await session_of(person)

    assert await passkeys.sign_in(answer) is None
    assert await passkeys.step_up(person.id, sid, answer) is None
    assert not await added(person, sid, answer)


def asked_on(page: httpx.Response) -> dict[str, Any]:
    found = re.search(r'data-passkey="([^"]*)"', page.text)
    assert found
    return dict(json.loads(unescape(found[1])))


async def test_from_the_account_to_the_sign_in(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    await sign_in(client, person)
    device = Device()
    page = await client.visit(HERE)

    form = {"name": "My <b>key</b>", "credential": device.create(asked_on(page)), "current_password": PASSWORD}
    done = await client.submit(HERE, form)
    assert done.headers["location"] == f"{HERE}?notice=passkey_added"
    assert "My &lt;b&gt;key&lt;/b&gt;" in (await client.visit(HERE)).text

    client.cookies.clear()
    login = await client.visit("/login/passkey?next=/account/passkeys")
    answer = {"credential": device.get(asked_on(login)), "next": "/account/passkeys"}
    done = await client.submit("/login/passkey", answer)
    assert (done.status_code, done.headers["location"]) == (303, HERE)
    listed = await client.visit(HERE)
    (path,) = re.findall(rf'href="({HERE}/[^"]+/remove)"', listed.text)

    assert (await client.visit(path)).status_code == 200
    assert (await client.submit(path)).headers["location"] == f"{HERE}?notice=passkey_removed"
    assert (await client.visit(path)).status_code == 404


async def test_bad_answer_leads_back_with_a_word_and_sets_no_cookie(client: Visitor, database: str) -> None:
    answer = await client.submit("/login/passkey", {"credential": "x", "next": "/account"})

    assert answer.headers["location"] == "/login/passkey?next=%2Faccount&notice=passkey_not_good"
    assert cookies_set(answer) == []


async def test_next_leads_nowhere_else(client: Visitor, database: str) -> None:
    device = await with_a_device(await make_user())
    options = asked_on(await client.visit("/login/passkey"))

    answer = await client.submit("/login/passkey", {"credential": device.get(options), "next": "//evil.example"})

    assert answer.headers["location"] == "/dashboard"


async def test_many_invalid_responses_are_rate_limited(client: Visitor, clock: Clock) -> None:
    answers = [await client.submit("/login/passkey", {"credential": "x"}) for _ in range(321)]

    assert answers[0].status_code == 303
    assert answers[-1].status_code == 429


def signalled(page: httpx.Response, which: str) -> dict[str, Any]:
    """What the page has the browser tell the device; {} for nothing."""
    found = re.search(rf'data-signal-{which}="([^"]*)"', page.text)
    return dict(json.loads(unescape(found[1]))) if found and found[1] else {}


async def test_device_is_told_of_a_passkey_that_no_account_has(client: Visitor, database: str) -> None:
    device = await with_a_device(await make_user())
    await db.execute(sa.delete(passkey_rows))
    options = asked_on(await client.visit("/login/passkey"))

    answer = await client.submit("/login/passkey", {"credential": device.get(options), "next": "/account"})

    assert answer.status_code == 422
    assert signalled(answer, "unknown") == {"rpId": options["rpId"], "credentialId": b64(device.credential)}
    assert signalled(answer, "account") == {}
    assert cookies_set(answer) == []


@pytest.mark.parametrize("why", ["inactive", "void", "owner", "signature", "used", "challenge"])
async def test_device_is_told_nothing_of_a_passkey_that_is_only_refused(
    client: Visitor, database: str, why: str
) -> None:
    person = await make_user()
    device = await with_a_device(person)
    answer = device.get(asked_on(await client.visit("/login/passkey")))
    mine = sa.update(user_rows).where(user_rows.c.id == person.id)
    if why == "inactive":
        await db.execute(mine.values(is_active=False))
    elif why == "void":
        await db.execute(mine.values(passkeys_since=db.now()))
    elif why == "used":
        assert await passkeys.sign_in(answer)
    else:
        other = await make_user()
        answer = {
            "owner": device.get(asks(), owner=b64(other.id.bytes)),
            "signature": with_a_byte_changed(answer, "signature", 9),
            "challenge": Device().get(asks(webauthn.stepping_up(db.uuid7()))),
        }[why]

    refused = await client.submit("/login/passkey", {"credential": answer})

    assert refused.headers["location"].endswith("notice=passkey_not_good")
    assert signalled(refused, "unknown") == {}


async def test_device_is_told_nothing_where_too_many_responses_were_invalid(client: Visitor, clock: Clock) -> None:
    answers = [await client.submit("/login/passkey", {"credential": Device().get(asks())}) for _ in range(321)]

    assert (answers[0].status_code, answers[-1].status_code) == (422, 429)
    assert signalled(answers[-1], "unknown") == {}


async def test_page_tells_the_device_of_all_passkeys_but_not_beside_an_error(client: Visitor, database: str) -> None:
    """Beside an error the form may hold a passkey that the device has made and nobody has stored."""
    person = await make_user()
    device = await with_a_device(person)
    await sign_in(client, person)

    listed = signalled(await client.visit(HERE), "account")
    refused = await client.submit(HERE, {"name": "Mine", "credential": "x"})

    assert listed["allAcceptedCredentialIds"] == [b64(device.credential)]
    assert (listed["userId"], listed["name"]) == (b64(person.id.bytes), person.email)
    assert (refused.status_code, signalled(refused, "account")) == (422, {})


async def test_account_page_tells_the_device_right_after_a_change(client: Visitor, database: str) -> None:
    await sign_in(client, await make_user())
    assert signalled(await client.visit("/account"), "account") == {}

    changed = await client.submit("/account", {"name": "Another name"})

    told = signalled(await client.visit(changed.headers["location"]), "account")
    assert (told["displayName"], told["allAcceptedCredentialIds"]) == ("Another name", [])


async def test_who_signs_nothing_writes_nothing(database: str) -> None:
    """A flood of answers to our own challenges must not fill the table of the counters."""
    for _ in range(5):
        assert await passkeys.sign_in(Device().get(asks())) is None

    assert await db.fetch_all(sa.select(counter_rows)) == []


async def test_add_page_shows_validation_errors(client: Visitor, database: str) -> None:
    await sign_in(client, await make_user())

    unprintable = await client.submit(HERE, {"name": "\x07", "credential": "x"})
    broken = await client.submit(HERE, {"name": "Mine", "credential": ""})
    unsigned = await client.submit(HERE, {"name": "Mine", "credential": "x"})

    assert [answer.status_code for answer in (unprintable, broken, unsigned)] == [422, 422, 422]
    assert 'aria-invalid="true"' in unprintable.text
    assert enrolment.NOT_ADDED in broken.text
    assert 'value="Mine"' in unsigned.text


# v5.0.0-7.5.1
async def test_passkey_is_enough_to_confirm_that_it_is_you(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    device = await with_a_device(person)
    before = await sign_in(client, person)
    clock.forward(minutes=11)
    asked = await client.visit(HERE)
    assert asked.headers["location"] == f"/step-up?next={HERE.replace('/', '%2F')}"

    refused = await client.submit("/step-up/passkey", {"credential": "x", "next": HERE})
    assert refused.headers["location"].endswith("notice=passkey_not_good")
    page = await client.visit("/step-up/passkey")
    done = await client.submit("/step-up/passkey", {"credential": device.get(asked_on(page)), "next": HERE})

    assert done.headers["location"] == HERE
    assert (await client.visit(HERE)).status_code == 200
    client.put_cookie("__Host-access", before.access_token)
    assert (await client.visit(HERE)).status_code == 303  # a copy of the old tokens gains nothing


async def test_passkey_of_another_account_is_not_found(client: Visitor, database: str) -> None:
    other = await make_user()
    await with_a_device(other)
    (row,) = await passkeys.of_user(other.id)
    await sign_in(client, await make_user())

    for path in (f"{HERE}/{row.id}/remove", f"{HERE}/x/remove", f"{HERE}/{db.uuid7()}/remove"):
        assert (await client.visit(path)).status_code == 404
        assert (await client.submit(path)).status_code == 404
    assert len(await passkeys.of_user(other.id)) == 1


async def test_password_managers_find_the_page(client: Visitor, database: str) -> None:
    answer = await client.get("/.well-known/passkey-endpoints")

    assert answer.json() == {"enroll": f"{ORIGIN}{HERE}", "manage": f"{ORIGIN}{HERE}"}


async def test_site_without_related_origins_lists_none(client: Visitor) -> None:
    assert (await client.visit("/.well-known/webauthn")).status_code == 404


async def test_other_origins_read_that_they_may_use_the_passkeys(
    client: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_settings(), "related_origins", "https://a.example,https://b.example")

    answer = await client.get("/.well-known/webauthn", headers={"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "no-cors"})

    assert answer.json() == {"origins": ["https://a.example", "https://b.example"]}
    assert answer.headers["content-type"] == "application/json"


async def test_passkey_for_another_host_is_signed_on_our_own_pages_alone(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_settings(), "passkey_site", "old.example")
    person = await make_user()
    device = await with_a_device(person)

    assert asks()["rpId"] == "old.example"
    assert await passkeys.sign_in(device.get(asks()))
    assert await passkeys.sign_in(device.get(asks(), origin="https://old.example")) is None
    assert await passkeys.sign_in(device.get(asks(), host="testserver")) is None
