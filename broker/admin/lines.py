"""Lists that are typed one entry a line."""

from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField

_LINES = forms.Textarea(attrs={"rows": 4, "cols": 80})


class LinesField(SimpleArrayField):
    """A list typed one entry a line; empty lines are nothing."""

    def __init__(self, base_field: forms.Field, **kwargs: Any) -> None:
        super().__init__(base_field, delimiter="\n", required=False, widget=_LINES, **kwargs)

    def to_python(self, value: Any) -> Any:
        lines = value.splitlines() if isinstance(value, str) else value or []
        return super().to_python("\n".join(line.strip() for line in lines if line.strip()))
