# Each target sets up what it needs. `make demo` and `make test` are the two to know.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: setup demo test test-slow lint fire scan bench pictures lock clean

setup: .venv/.dev

demo: .venv/.runtime
	@$(BIN)/epro demo

test: .venv/.dev lint
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile -m "not slow"

test-slow: .venv/.dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 -m slow

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fire: .venv/.dev           # the trial by fire: senders killed at every point, in foul weather
	$(BIN)/python -m tests.scheduler.fire

scan: .venv/.dev           # every route fuzzed, and attacked by wapiti and sqlmap (apt-get install wapiti sqlmap), as each role
	SCAN_EXAMPLES=60 $(BIN)/python -m pytest -v -n 2 tests/scan

bench: .venv/.dev
	$(BIN)/python -m benchmarks

pictures: .venv/.dev          # the pictures of the README, from a fresh demo
	$(BIN)/python -m tests.journeys.pictures

lock: .venv/.uv               # resolve anew; addresses stay out of the files
	printf 'uv\n' | $(UV_COMPILE) - -o locks/uv.lock
	$(UV_COMPILE) pyproject.toml locks/build.in -o locks/runtime.lock
	$(UV_COMPILE) pyproject.toml locks/build.in --extra dev -c locks/runtime.lock -o locks/dev.lock

clean:
	rm -rf .venv

UV_COMPILE = $(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header --quiet

.venv/.uv: locks/uv.lock
	@test -n "$(PYTHON)" || { echo "epro needs Python 3.11 or newer; none was found on PATH."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/uv.lock || \
		echo "uv could not be installed; pip will do, more slowly."
	@touch $@

# uv where it works, pip where it does not (a registry that only pip's own settings know).
define install
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --require-hashes -r $(1) || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(2)
endef

.venv/.runtime: .venv/.uv locks/runtime.lock pyproject.toml
	$(call install,locks/runtime.lock,.venv/.runtime)

.venv/.dev: .venv/.uv locks/dev.lock pyproject.toml
	$(call install,locks/dev.lock,.venv/.runtime .venv/.dev)
