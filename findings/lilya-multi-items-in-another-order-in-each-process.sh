#!/usr/bin/env bash
# Lilya's `multi_items()` of a query or a form has another order in each process.
#
# Seen 2026-12-01: lilya 0.29.0, multidict 6.9.1, Python 3.11.7.
# `request.query_params.multi_items()`, and that of a form, goes through a set of the names, and Python hashes text with
# another seed in each process. So the fields come neither as they were sent nor in any fixed order: workers of one server
# build different links from one address, a signature over the fields verifies in one worker and not in the next, and what
# depends on the order of fields of different names (items and their amounts) is lost. `get_multi_items()` does the same.
# Iterating over the object itself keeps the order. Starlette's method of the same name keeps it, too.
# Output seen, where the query was a=1&b=2&c=3&d=4&a=5:
#   PYTHONHASHSEED=1: multi_items() has d, a, a, b, c; the names themselves a, b, c, d, a
#   PYTHONHASHSEED=2: multi_items() has c, b, a, a, d; the names themselves a, b, c, d, a
# Exits 0 while that holds, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lilya==0.29.0 multidict==6.9.1
cat > "$folder/order.py" <<'PYTHON'
import sys

from lilya.requests import Request

scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"a=1&b=2&c=3&d=4&a=5"}
query = Request(scope).query_params
print("multi_items() has", ", ".join(name for name, _ in query.multi_items()), end="; ")
print("the names themselves", ", ".join(query))
sys.exit(0 if list(query) == ["a", "b", "c", "d", "a"] else 1)
PYTHON
for seed in 1 2 3 4 5 6; do
    PYTHONHASHSEED=$seed "$folder/venv/bin/python" "$folder/order.py" > "$folder/seen" || exit 1
    echo "PYTHONHASHSEED=$seed: $(cat "$folder/seen")"
    cat "$folder/seen" >> "$folder/all"
done
[ "$(sort -u "$folder/all" | wc -l)" -gt 1 ]
