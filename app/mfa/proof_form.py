"""The proof fields, for every form that requires a proof; `templates/mfa/_proof.html` renders them."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field
from ravyn import Request

from app.mfa import passkeys, proofs
from app.mfa.proofs import Proof
from app.web import lengths


class ProofForm(BaseModel):
    """Base class of forms that require a proof: its fields (see `proofs.Proof`)."""

    current_password: str = ""
    code: str = Field(default="", max_length=lengths.CODE)
    passkey: str = ""

    def proof(self) -> Proof:
        return Proof(self.current_password, self.code, self.passkey)


async def asking(request: Request, typed: Mapping[str, str]) -> dict[str, Any]:
    """Template context of the proof fields: the submitted values (templates omit the password), and passkey options."""
    known = await passkeys.of_user(request.user.id)
    to_prove = json.dumps(proofs.to_prove(request.user.sid)) if known else ""
    return {"form": typed, "to_prove": to_prove}
