# `make run` and `make test` each work as the first command in a fresh clone; everything they need goes into .venv.
# HOST=, PORT= and every variable of .env.example are taken from the command line or the environment.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
PYTHONS := 3.11 3.12 3.13 3.14
PY := $(VENV)/bin/python
# A folder, unless T names a path in it.
all_but = $(if $(filter $(1) $(1)/%,$(T)),,$(1))
LOCK := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock"

export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE :=# compiled modules halve the time of the next start

.PHONY: help
help: ## list these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

.PHONY: run
run: $(VENV)/.run .env ## install everything and start the site: http://localhost:8000 (PORT=8001 for another port)
	@umask 077 && APP_ENV=development exec $(PY) -m app serve

.PHONY: dev
dev: $(VENV)/.run .env ## as `make run`, and start again after changes of Python code or .env; the browser loads its page again
	@umask 077 && exec $(PY) -m app.cli.reload

.PHONY: test
test: $(VENV)/.dev ## every rule, and the main paths in the browser (T=tests/web or T="-k login" for some tests)
	@$(PY) -m tests $(T)

.PHONY: test-all
test-all: $(VENV)/.dev test ## and the rest: races, PostgreSQL in full, several processes, ejected copies, the whole browser
	@$(PY) -m tests --rest $(T)

.PHONY: postgresql
postgresql: $(VENV)/.dev ## run the database tests on a PostgreSQL server of their own
	@$(PY) -m tests --postgresql $(T)

.PHONY: unit
unit: $(VENV)/.dev ## run the tests without a browser
	@$(PY) -m pytest $(call all_but,tests) $(T)

.PHONY: e2e
e2e: $(VENV)/.dev ## run the browser tests (HEADED=1 to watch)
	@$(PY) -m pytest $(call all_but,e2e) $(T)

.PHONY: ops
ops: $(VENV)/.dev ## what stands around it, with the real programs: poolers, proxies, failover (apt-get install pgbouncer haproxy nginx)
	@NEED_PROGRAMS=1 $(PY) -m pytest tests -m ops -rP $(T)

# bench:
.PHONY: bench
bench: $(VENV)/.dev ## run the benchmarks; writes bench/results.md
	@$(PY) -m bench.run
	@$(PY) -m bench.timing
	@$(PY) -m bench.feed
	@$(PY) -m bench.admin

.PHONY: scale
scale: $(VENV)/.dev ## measure workers, memory and start time; writes bench/results.md
	@$(PY) -m bench.scale

.PHONY: peers
peers: $(VENV)/.dev ## run the benchmarks on two other starters, installed into var/peers; writes bench/results.md, peers.svg
	@$(PY) -m bench.peers

.PHONY: soak
soak: $(VENV)/.dev ## run ordinary traffic for half an hour and record what grows (M=5 for five minutes); writes bench/soak.md
	@$(PY) -m bench.soak --minutes $(or $(M),30)
# /bench

# template:
.PHONY: pictures
pictures: $(VENV)/.dev ## take the README's pictures again
	@$(PY) -m e2e.pictures
# /template

.PHONY: gallery
gallery: $(VENV)/.dev ## take pictures of every page and state: var/gallery/index.html (N="login admin" for some of them)
	@$(PY) -m e2e.gallery $(N)

.PHONY: browser
browser: $(VENV)/.dev ## find a Chromium for the tests, or install one
	@$(PY) -m e2e.support.browser

.PHONY: check
check: $(VENV)/.dev ## run the linter, import contracts and type checker
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(VENV)/bin/lint-imports --no-cache
	@$(PY) -m mypy

.PHONY: lint
lint: $(VENV)/.dev ## fix what the linter can fix, and format
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

.PHONY: types
types: $(VENV)/.dev ## run the type checker only
	@$(PY) -m mypy

# learn:
.PHONY: docs
docs: $(VENV)/.dev ## update the code, outputs and tables in docs/
	@$(PY) -m tests.learn.refresh

.PHONY: course
course: $(VENV)/.dev ## follow docs/build in an empty folder and docs/features.md in a copy, and write down what their commands print
	@$(PY) -m tests.learn.course
	@$(PY) -m tests.learn.test_features_guide $$(mktemp -d)
# /learn

.PHONY: migrate
migrate: $(VENV)/.run .env ## run pending migrations, as `make run` does (TO=-1: one back, TO=0018: to that one)
	@APP_ENV=development exec $(PY) -m app migrate $(if $(TO),--to $(TO))

.PHONY: seed
seed: $(VENV)/.run .env ## add many users and audit events to try the lists on
	@APP_ENV=development exec $(PY) -m app seed

.PHONY: migration
migration: $(VENV)/.dev .env ## write a migration from the models: make migration M="add projects"
	@APP_ENV=development exec $(PY) -m app migration "$(M)"

.PHONY: shell
shell: $(VENV)/.run .env ## a Python prompt with the models and the open database; await works
	@APP_ENV=development exec $(PY) -m app shell

.PHONY: routes
routes: $(VENV)/.run .env ## list every route with its permission
	@APP_ENV=development exec $(PY) -m app routes

# proofs:
.PHONY: controls
controls: $(VENV)/.dev ## update the tables of docs/security.md: where each ASVS requirement is met, and the tests that show it
	@$(PY) -m tests.controls

.PHONY: mutants
mutants: $(VENV)/.dev ## run the mutation tests: remove each check and see whether a test fails; writes docs/mutants.md (F=file for one)
	@nice -n 19 $(PY) -m tests.mutants $(F)
# /proofs

.PHONY: lock
lock: $(VENV)/.dev ## update the lock files after changing pyproject.toml (U=1: newest versions)
	@$(LOCK) $(if $(U),--upgrade) pyproject.toml -o requirements.lock
	@$(LOCK) $(if $(U),--upgrade) -c requirements.lock pyproject.toml --group dev -o requirements-dev.lock
	@$(LOCK) $(if $(U),--upgrade) -c requirements-dev.lock pyproject.toml --group audit -o requirements-audit.lock

	@$(MAKE) wheels

.PHONY: wheels
wheels: $(VENV)/.dev ## check that every supported Python has wheels of what the locks name (Linux, and macOS on ARM)
	@for python in $(PYTHONS); do for platform in x86_64-unknown-linux-gnu aarch64-apple-darwin; do \
		$(VENV)/bin/uv pip install --quiet --dry-run --require-hashes --only-binary :all: --python-version $$python \
			--python-platform $$platform --target $(VENV)/wheels -r requirements-dev.lock || exit 1; \
	done; done

.PHONY: sbom
sbom: $(VENV)/.audit ## write the software bill of materials (CycloneDX) to var/sbom.cdx.json
	@mkdir -p var && $(VENV)/bin/cyclonedx-py requirements requirements.lock --output-reproducible --of JSON -o var/sbom.cdx.json

.PHONY: licences
licences: $(VENV)/.audit ## update deploy/licences.md: the licence of each dependency
	@{ echo '# Licences of what runs'; echo; echo 'Written by `make licences` from the packages that `requirements.lock` names.'; echo; \
	$(VENV)/bin/pip-licenses --from=mixed --format=markdown --order=name \
		--packages $$(sed -n 's/^\([a-z0-9._-]*\)==.*/\1/p' requirements.lock); } >deploy/licences.md

.PHONY: advisories
advisories: $(VENV)/.audit ## check dependencies for known vulnerabilities (needs the advisory service)
	@$(VENV)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock

.PHONY: audit
audit: $(VENV)/.audit $(VENV)/.dev ## run occasional checks: advisories, markup (vnu), Lighthouse, API fuzzing
	@failed=; $(MAKE) advisories || failed="$$failed advisories"; \
	$(PY) -m e2e.audit || failed="$$failed pages"; \
	FUZZ_EXAMPLES=300 $(PY) -m pytest tests/ops/test_openapi.py -q || failed="$$failed api"; \
	[ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

.PHONY: clean
clean: ## remove the environment, caches and test results; keeps the database and .env
	@rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis e2e/results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# `bootstrap.py` makes them; it does so without `make`, too.
.env: | $(VENV)/.run
	@$(PY) bootstrap.py env

$(VENV)/.run: requirements.lock $(VENV)/.made
	@$(PY) bootstrap.py install run

$(VENV)/.dev: requirements-dev.lock $(VENV)/.made
	@$(PY) bootstrap.py install dev

$(VENV)/.audit: requirements-audit.lock $(VENV)/.made
	@$(PY) bootstrap.py install audit

# The interpreter of the machine, never a downloaded one.
$(VENV)/.made:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; done; \
	if [ -z "$$python" ]; then echo 'Python 3.11 or newer is needed: install it, or say where it is: make PYTHON=/path/to/python3'; exit 1; fi; \
	"$$python" bootstrap.py venv || { echo "$$python has no venv module: install it (Debian: apt-get install python3-venv)"; exit 1; }
