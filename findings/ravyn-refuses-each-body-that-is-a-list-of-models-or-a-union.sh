#!/usr/bin/env bash
# Ravyn answers 400 to every body where the handler takes a list of models or a union of them.
#
# Seen 2026-12-01: ravyn 0.4.3, lilya 0.29.0, pydantic 2.14.3, Python 3.11.7.
# `data: list[Item]` and `data: Card | Transfer`, with Field(discriminator=...) or without, start without a complaint, and
# the OpenAPI document describes an array, or "anyOf" the two models. But the annotation itself is called with the fields of
# the body: "list() argument after ** must be a mapping, not list", "'types.UnionType' object is not callable". The client
# reads that as a fault of its own, with status 400. `list[int]`, `dict[str, Item]`, `Item | None` and a model with a list in
# it work. A list in the query has a similar fault: `tags: list[str] = []` is not required by the OpenAPI document, with
# default [], and without it the request is refused.
# Output seen:
#   list of numbers: 201
#   list of models: 400 ['list() argument after ** must be a mapping, not list']
#   union: 400 ["'types.UnionType' object is not callable"]
#   list in the query, not given: 400
# Exits 0 while that holds, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    ravyn==0.4.3 lilya==0.29.0 pydantic==2.14.3 httpx2==2.16.2
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import sys
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from ravyn import Gateway, Ravyn, get, post
from ravyn.testclient import RavynTestClient

logging.disable()


class Card(BaseModel):
    kind: Literal["card"]
    number: int


class Transfer(BaseModel):
    kind: Literal["transfer"]
    account: int


@post("/numbers")
async def numbers(data: list[int]) -> Any:
    return data


@post("/models")
async def models(data: list[Card]) -> Any:
    return len(data)


@post("/union")
async def union(data: Annotated[Card | Transfer, Field(discriminator="kind")]) -> Any:
    return data.kind


@get("/query")
async def query(tags: list[str] = []) -> Any:
    return tags


CARD = {"kind": "card", "number": 1}
app = Ravyn(routes=[Gateway(handler=each) for each in (numbers, models, union, query)], enable_openapi=True)
with RavynTestClient(app) as client:
    answers = {
        "list of numbers": client.post("/numbers", json=[1, 2]),
        "list of models": client.post("/models", json=[CARD]),
        "union": client.post("/union", json=CARD),
        "list in the query, not given": client.get("/query"),
        "list in the query, given": client.get("/query?tags=a"),
    }
    described = client.get("/openapi.json").json()["paths"]
for name, answer in answers.items():
    print(f"{name}: {answer.status_code}", answer.json()["errors"] if answer.status_code == 400 else "")
schemas = [described[path]["post"]["requestBody"]["content"]["application/json"]["schema"] for path in ("/models", "/union")]
print("OpenAPI:", *schemas, described["/query"]["get"]["parameters"][0]["required"])
promised = schemas[0]["type"] == "array" and len(schemas[1]["anyOf"]) == 2
promised = promised and not described["/query"]["get"]["parameters"][0]["required"]
sys.exit(0 if promised and [each.status_code for each in answers.values()] == [201, 400, 400, 400, 200] else 1)
PYTHON
