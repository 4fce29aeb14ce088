"""The fields of a proof, for every form that asks for one; `templates/mfa/_proof.html` shows them."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field
from ravyn import Request

from app.mfa import passkeys, proofs
from app.mfa.proofs import Proof


class ProofForm(BaseModel):
    """What each form here asks for beside its own fields: see `proofs.Proof`."""

    current_password: str = ""
    code: str = Field(default="", max_length=100)
    passkey: str = ""

    def proof(self) -> Proof:
        return Proof(self.current_password, self.code, self.passkey)


async def asking(request: Request, typed: Mapping[str, str]) -> dict[str, Any]:
    """What the fields of a proof need: what was typed but for the password, and what a passkey would have to sign."""
    known = await passkeys.of_user(request.user.id)
    to_prove = json.dumps(proofs.to_prove(request.user.sid)) if known else ""
    return {"form": typed, "to_prove": to_prove}
