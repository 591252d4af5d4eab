# `make demo` is all a newcomer needs; `make` lists the rest. Settings are PHOTOFEED_* variables (photofeed/settings.py).

UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/uv/bin/uv
INSTALLED := $(VENV)/.installed
WEB := web/dist/.built
PACKAGES := photofeed ingestion serving training simulation tests

# Imports take seconds where Python may not keep what it compiled.
unexport PYTHONDONTWRITEBYTECODE
ifdef STATE
export PHOTOFEED_STATE_DIR := $(STATE)
endif

.DEFAULT_GOAL := help
.PHONY: help demo smoke notebook test lint types imports check web web-check lock token bench-images bench-training bench-feed bench-feed-growth bench-features clean-state clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: STATE=folder of the stack's data (default .photofeed), PHOTOS=folder of photos for the demo"

demo: $(INSTALLED) $(WEB) ## start everything, seed a small world, train, serve until Ctrl-C [PHOTOS=, STATE=]
	@$(BIN)/photofeed demo $(if $(PHOTOS),--photos "$(PHOTOS)")

smoke: $(INSTALLED) ## the demo, smaller, and the notebooks on it; ends by itself, non-zero if anything is broken
	@$(BIN)/photofeed smoke --notebooks notebooks

notebook: $(INSTALLED) ## open JupyterLab on notebooks/, on the data of a demo that runs [STATE=]
	@$(BIN)/jupyter lab --ip=127.0.0.1 notebooks

test: $(INSTALLED) $(WEB) ## run the tests, on real servers [TESTS=tests/unit]
	@$(BIN)/python -m pytest $(TESTS)

lint: $(INSTALLED) ## check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(INSTALLED) ## check types, strictly
	@$(BIN)/mypy --explicit-package-bases $(PACKAGES)
	@cd feature_repo && ../$(BIN)/mypy --config-file ../pyproject.toml .

imports: $(INSTALLED) ## check which package imports which
	@$(BIN)/lint-imports --no-logo

check: test lint types imports web-check ## all of the above checks

bench-images: $(INSTALLED) ## what a photo costs, against npm sharp and naive Pillow; a table, then a line of JSON
	@$(BIN)/python -W ignore benchmarks/images.py $(BENCH)

bench-training: $(INSTALLED) ## what a training costs, against bare lightgbm.train; a table, then a line of JSON
	@$(BIN)/python -W ignore benchmarks/ranker_training.py $(BENCH)

bench-feed: $(INSTALLED) ## what a feed costs, against the stock way with Feast and Booster.predict; tables, then a line of JSON
	@$(BIN)/python -W ignore benchmarks/feed.py $(BENCH)

bench-feed-growth: $(INSTALLED) ## how the cost of a feed grows with candidates, follows and posts; a table and feed-growth.svg
	@$(BIN)/python -W ignore benchmarks/feed_growth.py $(BENCH)

bench-features: $(INSTALLED) ## what features cost, against stock Feast and bare Redis; tables, then a line of JSON
	@$(BIN)/python -W ignore benchmarks/features.py $(BENCH)

web: $(WEB) ## build the browser app, where Node is installed

web-check: ## check style, types and tests of the browser app, where Node is installed
	@if command -v npm >/dev/null; then \
		cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent lint && npm run --silent typecheck && npm test; \
	else echo "web: not checked: npm is missing (install nodejs 20 or later, with npm)"; fi

lock: $(INSTALLED) ## resolve the dependencies of pyproject.toml anew into requirements.lock
	@$(UV) pip compile --quiet --upgrade --python-version 3.11 --extra embedded --extra spark --extra notebooks --extra dev --generate-hashes --no-header \
		--no-annotate --output-file requirements.lock pyproject.toml

token: $(INSTALLED) ## print a token for a person of the demo: make token PERSON=handle
	@$(if $(PERSON),,echo "say whose token: make token PERSON=handle" >&2; exit 2;) $(BIN)/photofeed token --user "$(PERSON)"

clean-state: ## remove the stack's data; refused while it runs [STATE=]
	@python3 -m photofeed.embedded.clean_state "$${PHOTOFEED_STATE_DIR:-.photofeed}"

clean: ## remove what was installed and built, not the stack's data
	rm -rf $(VENV) build *.egg-info web/dist web/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache

# Made again only when the lock or the project changes; uv then changes only what differs.
$(INSTALLED): requirements.lock pyproject.toml
	@for python in $(PYTHON) python3 python3.11 python3.12 python3.13 none; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	done; \
	if [ $$python = none ]; then \
		echo "photofeed needs Python 3.11 or later: install python3.11, or name it: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	$$python -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "the venv module of $$python is missing: install python3-venv" >&2; exit 1; }; \
	echo "installing the dependencies into $(VENV) (once; a minute or two)"; \
	$$python -m venv $(VENV)
	@[ -x $(UV) ] && [ "$$($(UV) --version | cut -d ' ' -f 2)" = $(UV_VERSION) ] || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target $(VENV)/uv uv==$(UV_VERSION)
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(WEB): $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
	@if command -v npm >/dev/null; then \
		echo "building the browser app"; cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build && touch dist/.built; \
	else echo "web: not built, the API works without it: npm is missing (install nodejs 20 or later, with npm)"; fi
