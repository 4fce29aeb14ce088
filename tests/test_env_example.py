"""The list of settings that people copy from."""

import re

from app.settings import ROOT, Settings


def test_every_setting_stands_in_the_example_and_nothing_else() -> None:
    text = (ROOT / ".env.example").read_text()
    ours = {
        name for name, field in Settings.model_fields.items() if name in Settings.__annotations__ and not field.exclude
    }
    expected = {str(Settings.model_fields[name].validation_alias or f"APP_{name.upper()}") for name in ours}

    assert set(re.findall(r"^(?:# )?([A-Z0-9_]+)=", text, re.MULTILINE)) == expected
