# The two commands of the README: `make demo` and `make test`. Both set up what they need.
# Needs Python 3.11 or newer, pip and make; PYTHON=... picks another interpreter.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
LOCK = requirements/lock.txt
PYTEST_ARGS ?=
MINUTES ?= 30

.PHONY: help demo test check format docs fit bench bench-gateway bench-books bench-aiperf soak lock wheel clean

help:
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 22

# A virtual environment without ensurepip, filled by the outer pip: works where Debian leaves python3-venv out.
$(BIN)/python:
	$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/.demo: $(BIN)/python $(LOCK) pyproject.toml
	$(PYTHON) -m pip --python $(BIN)/python install -q --disable-pip-version-check -c $(LOCK) -e '.[demo]'
	@touch $@

$(VENV)/.dev: $(BIN)/python $(LOCK) pyproject.toml
	$(PYTHON) -m pip --python $(BIN)/python install -q --disable-pip-version-check -c $(LOCK) -e '.[dev]'
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo ## plan ten metros; then plan, run, meter, bill and report the two-site example with emulated engines
	@mkdir -p out/demo
	$(BIN)/neocloud plan examples/ten-metros/cloud.yaml --quick --out out/demo/ten-metros.json
	$(BIN)/python examples/two-sites/demo.py --out out/demo

test: $(VENV)/.dev ## set up and run the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/.dev ## formatting, lint, types, order of imports, generated pages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/house

format: $(VENV)/.dev ## rewrite files as `make check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev ## make the generated pages and schemas again
	$(BIN)/python tools/docs/generate.py

fit: $(VENV)/.dev ## fit, judge and lay down the performance model: make fit MEASURED=FOLDER
	OMP_NUM_THREADS=1 $(BIN)/python tools/fit.py $(MEASURED)

bench: $(VENV)/.dev ## points per second of model and search, times and gaps of placement
	$(BIN)/python bench/perf/points.py
	$(BIN)/python bench/planner/search.py
	$(BIN)/python bench/planner/placement.py

bench-gateway: $(VENV)/.dev ## the gateway beside its peers, on this machine
	$(BIN)/python bench/gateway/run.py

bench-books: $(VENV)/.dev ## a million events rated, beside roll-ups in SQL and a price per request
	$(BIN)/python bench/books/peers.py

bench-aiperf: $(VENV)/.dev ## somebody else's load tool before the gateway: its token counts and the ledger's
	$(BIN)/python bench/gateway/aiperf.py

soak: $(VENV)/.dev ## kill, flood and weigh the gateway, a million requests at least: make soak MINUTES=30
	$(BIN)/python tools/soak.py --minutes $(MINUTES)

lock: $(VENV)/.dev ## pin again what pyproject.toml allows
	$(BIN)/python tools/lock.py

wheel: $(VENV)/.dev ## build dist/*.whl
	$(BIN)/python -m build --wheel --outdir dist .

clean: ## remove everything that make makes
	rm -rf $(VENV) out dist build
