"""The feature registry: a feature of one's own is a folder and one line of main.py, and every list has it."""

import re
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import pytest

from app.settings import get_settings
from app.web import features
from app.web.features import Feature, Notice
from tests.support.copies import copied, run

WRITTEN = {
    "app/parcels/__init__.py": '''
        """Parcels: the smallest feature that brings something of every kind."""

        from prometheus_client.core import GaugeMetricFamily

        from app.email.messages import from_template
        from app.parcels import pages
        from app.web.features import Feature, Link, Notice, signed_in


        async def export(user_id):
            yield {"parcel": "a box", "of": user_id}


        async def email(row):
            return from_template("parcel_sent", row.recipient, box=row.facts["box"])


        async def prune(now):
            return 7


        async def gauges():
            return [GaugeMetricFamily("parcels_waiting", "Parcels that wait", 42)]


        FEATURE = Feature(
            name="parcels",
            routes=pages.route_patterns,
            navigation=[Link("/parcels", "Parcels", signed_in)],
            admin_tabs={"/admin/parcels": "All parcels"},
            footer={"/parcels/help": "Help with parcels"},
            notices={"parcel_sent": Notice("success", "The parcel is on its way.")},
            export={"parcels": export},
            emails={"parcel_sent": email},
            email_samples={"box": "A made-up box"},
            maintenance={"parcels": prune},
            metrics=[gauges],
        )
    ''',
    "app/parcels/pages.py": '''
        """Pages of parcels."""

        from typing import Any

        from ravyn import Request, get, post

        from app import db
        from app.auth import permissions
        from app.auth.redirects import see_other
        from app.email import outbox
        from app.web import forms, templates


        @get()
        async def index(request: Request) -> Any:
            return templates.page(request, "parcels/index.html")


        @get()
        async def everything(request: Request) -> Any:
            return templates.page(request, "parcels/index.html")


        @post(status_code=303)
        async def send(request: Request) -> Any:
            await forms.parse(request, forms.Nothing)
            await outbox.enqueue(db, "parcel_sent", recipient=request.user.email, box="A red box")
            return see_other("/parcels", notice="parcel_sent")


        route_patterns = [
            permissions.private("/parcels", index),
            permissions.private("/parcels", send),
            permissions.private("/admin/parcels", everything, permissions.requires("parcels:read")),
        ]
    ''',
    "templates/parcels/index.html": '{% extends "base.html" %}{% block content %}<h1>A box</h1>{% endblock %}',
    "templates/email/parcel_sent.txt": "{{ box }} is on its way\n\nIt left today.\n",
    "tests/parcels/__init__.py": "",
    "tests/parcels/acts.py": '''
        """What somebody signed in can do with parcels."""

        WHY = {"POST /parcels": "sends an e-mail to the account's own address"}


        async def nothing(scene):
            return {}


        ACTS = {"POST /parcels": nothing}
    ''',
    "tests/parcels/test_pages.py": '''
        """Everything that lists something has what the feature brings."""

        import pytest

        from app import maintenance
        from app.ops import metrics_export
        from tests.support.mailbox import emails_to
        from tests.support.people import make_user, sign_in

        pytestmark = pytest.mark.anyio


        async def test_feature(client):
            assert "Parcels" not in (await client.visit("/")).text
            person = await make_user(role="admin")
            await sign_in(client, person)

            assert '<a href="/parcels">Parcels</a>' in (await client.visit("/")).text
            assert '<a href="/parcels/help">Help with parcels</a>' in (await client.visit("/")).text
            assert '<a href="/admin/parcels">All parcels</a>' in (await client.visit("/admin")).text
            assert "A box" in (await client.visit("/admin/parcels")).text
            sent = await client.submit("/parcels")
            assert "The parcel is on its way." in (await client.visit(sent.headers["location"])).text
            (email,) = await emails_to(person.email)
            assert email.subject == "A red box is on its way"
            assert "A red box is on its way" in (await client.visit("/dev/mailbox")).text
            assert "A made-up box is on its way" in (await client.visit("/dev/mailbox/samples/parcel_sent")).text
            assert "your parcels" in (await client.visit("/account/export")).text
            copy = (await client.submit("/account/export")).json()
            assert copy["parcels"] == [{"parcel": "a box", "of": str(person.id)}]
            assert (await maintenance.run())["parcels"] == 7
            assert b"parcels_waiting 42.0" in await metrics_export.text()
    ''',
}
# Its own test, and those that ask every route, notice or kind of e-mail.
TESTS = [
    "tests/parcels", "tests/contract/test_copied_cookie.py", "tests/contract/test_ended_elsewhere.py",
    "tests/contract/test_held_back.py", "tests/contract/test_matrix.py", "tests/contract/test_notices.py",
    "tests/dev/test_email_samples.py",
]  # fmt: skip
LAST = '    "app.dev",\n'


def test_feature_of_ones_own_is_a_folder_and_one_line(tmp_path: Path) -> None:
    folder = copied(tmp_path / "clone")
    for path, text in WRITTEN.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(dedent(text).lstrip("\n"))
    main = folder / "app" / "main.py"
    main.write_text(main.read_text().replace(LAST, f'{LAST}    "app.parcels",\n'))

    done = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "parcel or says_why", *TESTS)

    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^(\d+) passed", done.stdout, re.MULTILINE)
    assert passed
    assert int(passed[1]) > 20, done.stdout  # its own one, and each of the others for each of its routes


def test_feature_that_another_one_imports_breaks_a_contract(tmp_path: Path) -> None:
    folder = copied(tmp_path / "clone")
    (folder / "app" / "parcels").mkdir()
    (folder / "app" / "parcels" / "__init__.py").write_text('"""Parcels."""\n\nfrom app.home import pages\n')
    main = folder / "app" / "main.py"
    main.write_text(main.read_text().replace(LAST, f'{LAST}    "app.parcels",\n'))

    done = run(folder, "-c", "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])")

    assert done.returncode == 1
    assert "app.parcels is not allowed to import app.home" in done.stdout


def test_two_features_with_the_same_name_for_something_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "_features", features.registered())
    modules = {
        "one": Feature(name="one", notices={"saved": Notice("info", "One.")}),
        "two": Feature(name="two", notices={"saved": Notice("info", "Two.")}),
    }
    monkeypatch.setattr(features, "import_module", lambda name: type("Module", (), {"FEATURE": modules[name]}))

    with pytest.raises(RuntimeError, match="notices: saved"):
        features.register(["one", "two"])


def test_nothing_can_be_asked_before_the_features_are_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `prune` that knows no task would delete nothing, and say that all is well."""
    monkeypatch.setattr(features, "_features", ())

    with pytest.raises(RuntimeError, match=r"import app\.main first"):
        features.table("maintenance")


def test_what_is_for_development_alone_is_in_no_menu_of_production(monkeypatch: pytest.MonkeyPatch) -> None:
    here = features.footer()
    monkeypatch.setattr(get_settings(), "env", "production")

    assert ("/dev/mailbox", "Mailbox") in here
    assert features.footer() == []


def test_tabs_of_the_admin_area_begin_with_its_own() -> None:
    tabs = [path for path, _ in features.admin_tabs(SimpleNamespace(may=lambda permission: True))]

    assert tabs[:4] == ["/admin", "/admin/users", "/admin/audit", "/admin/mail"]
