"""How each type of field is written: its column, its validation, its control in a form, and examples for tests."""

from typing import Any

from app.cli.generate.spec import Field

COLUMNS = {
    "str": "f.CharField(max_length=200{})",
    "text": "f.TextField({})",
    "int": "f.IntegerField({})",
    "decimal": "f.DecimalField(max_digits=12, decimal_places=2{})",
    "bool": "f.BooleanField(default=False)",
    "date": "f.DateField({})",
    "datetime": "db.timestamp({})",
    "choice": "f.CharField(max_length=20{})",
}
ANNOTATIONS = {
    "str": "Annotated[str, Line(1, 200)]",
    "text": "Annotated[str, Lines(1, 20_000)]",
    "int": "Whole",
    "decimal": "Exact",
    "bool": "YesOrNo",
    "date": "Day",
    "datetime": "Moment",
    "reference": "Reference",
}
# As a form sends it, as JSON has it, a second value for a form, and what is refused in a form.
EXAMPLES: dict[str, tuple[Any, Any, Any, Any]] = {
    "str": ("Alpha", "Alpha", "Beta", "x" * 201),
    "text": ("Some words", "Some words", "Other words", "\x00"),
    "int": ("7", 7, "8", "seven"),
    "decimal": ("12.50", "12.50", "9.99", "1.234"),
    "bool": ("yes", True, "no", "perhaps"),
    "date": ("2026-12-24", "2026-12-24", "2027-01-31", "tomorrow"),
    "datetime": ("2026-12-24T09:30", "2026-12-24T09:30:00+00:00", "2027-01-31T18:00", "soon"),
}


class Written:
    """A field with its code, for the templates."""

    def __init__(self, field: Field) -> None:
        self.name, self.kind, self.label, self.choices = field.name, field.kind, field.label, field.choices
        self.to, self.folder, self.unique, self.optional = field.to, field.folder, field.unique, field.optional
        self.typed, self.json, self.other, self.wrong = EXAMPLES.get(field.kind, ("", "", "", "forgotten"))
        if field.kind == "choice":
            self.typed = self.json = field.choices[0]
            self.other = field.choices[-1]

    @property
    def column(self) -> str:
        if self.kind == "reference":
            what = "on_delete=edgy.SET_NULL, null=True" if self.optional else "on_delete=edgy.CASCADE"
            return f'f.ForeignKey("{self.to}", {what}, related_name=False)'
        shape, null = COLUMNS[self.kind], "null=True" if self.optional else ""
        return shape.format(null if "({})" in shape else f", {null}" if null else "")

    @property
    def annotation(self) -> str:
        plain = ANNOTATIONS.get(self.kind) or f"Literal[{', '.join(map(repr, self.choices))}]"
        if self.optional:
            return f"Annotated[{plain} | None, BLANK] = None"
        return plain + {"bool": " = False", "choice": f' = "{self.typed}"'}.get(self.kind, "")

    @property
    def input(self) -> str:
        name, label, required = self.name, self.label, ", required=false" if self.optional else ""
        value, error = f'form["{name}"]', f'errors.get("{name}", "")'
        attrs = '{"autocomplete": "off", "dir": "auto"}'
        if self.kind in ("int", "decimal"):
            attrs = f'{{"autocomplete": "off", "inputmode": "{"numeric" if self.kind == "int" else "decimal"}"}}'
        if self.kind == "bool":
            return (
                f'{{{{ choice("{name}", "{label}", {{"no": "No", "yes": "Yes"}}, {value} or "no", error={error}) }}}}'
            )
        if self.kind in ("choice", "reference"):
            options = f'choices["{name}"]' if self.kind == "choice" else f"{name}_options"
            empty = "None" if self.optional else "Choose one" if self.kind == "reference" else ""
            return f'{{{{ choice("{name}", "{label}", {options}, {value}, "{empty}", {error}) }}}}'
        if self.kind == "text":
            attrs = '{"dir": "auto"}'
            return f'{{{{ field("{name}", "{label}", {value}, error={error}, rows=8{required}, attrs={attrs}) }}}}'
        control = {"date": "date", "datetime": "datetime-local"}.get(self.kind)
        if control:  # what a date field refuses to show is typed as text
            attrs = '{"autocomplete": "off"}'
            value += f', "text" if {error} else "{control}"'
        return f'{{{{ field("{name}", "{label}", {value}, error={error}{required}, attrs={attrs}) }}}}'

    @property
    def json_code(self) -> str:
        return f'int(typed["{self.name}"])' if self.unique else repr(self.json)

    @property
    def wrong_code(self) -> str:
        return '"x" * 201' if self.kind == "str" else repr(self.wrong)

    def shown(self, row: str) -> str:
        value = f"{row}.{self.name}"
        shown = {
            "str": f"<bdi>{{{{ {value} }}}}</bdi>",
            "text": f'<span class="prose" dir="auto">{{{{ {value} }}}}</span>',
            "bool": f'{{{{ "yes" if {value} else "no" }}}}',
            "date": f"{{{{ {value}|day }}}}",
            "datetime": f"{{{{ {value}|when }}}}",
            "choice": f'{{{{ tag(choices["{self.name}"][{value}]) }}}}',
            "reference": f"<bdi>{{{{ {value}.label }}}}</bdi>",
        }.get(self.kind, f"{{{{ {value} }}}}")
        if not self.optional:
            return shown
        return f'{{% if {value} is not none %}}{shown}{{% else %}}<span class="quiet">none</span>{{% endif %}}'
