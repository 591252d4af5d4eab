# `make demo` is all a newcomer needs; `make` lists the rest. Settings are PHOTOFEED_* variables (photofeed/settings.py).

UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/uv/bin/uv
INSTALLED := $(VENV)/.installed
WEB := web/dist/.built
CLIENTS := clients/.generated
KIT := clients/typescript/dist/.built
PACKAGES := photofeed ingestion serving training simulation tools tests clients/python/photofeed_client

# Imports take seconds where Python may not keep what it compiled.
unexport PYTHONDONTWRITEBYTECODE
# Another Python than the one of the environment: install again.
VERSION = $(shell $(1) -c 'import sys; print(sys.version_info[:2])' 2>/dev/null)
ifdef PYTHON
ifneq ($(call VERSION,$(PYTHON)),$(call VERSION,$(BIN)/python))
$(shell rm -f $(INSTALLED))
endif
endif
ifdef STATE
export PHOTOFEED_STATE_DIR := $(STATE)
endif

.DEFAULT_GOAL := help
.PHONY: help openapi clients contract demo smoke notebook test lint types imports prose check web web-check lock lock-check wheel wheel-check extras sbom token photo-cases bench-images bench-training bench-api bench-feed bench-feed-parts bench-feed-growth bench-features bench-import clean-state clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: STATE=folder of the stack's data (default .photofeed), PHOTOS=folder of photos for the demo, PYTHON=interpreter (3.11 to 3.13)"

demo: $(INSTALLED) $(CLIENTS) $(WEB) ## start everything, seed a small world, train, serve until Ctrl-C [PHOTOS=, STATE=]
	@$(BIN)/photofeed demo $(if $(PHOTOS),--photos "$(PHOTOS)")

.PHONY: up
up: $(INSTALLED) $(CLIENTS) $(WEB) ## start everything without any data, and serve until Ctrl-C [STATE=]
	@$(BIN)/photofeed up

smoke: $(INSTALLED) $(CLIENTS) ## the demo, smaller, with the notebooks and tutorials on it; ends by itself, non-zero if anything is broken
	@$(BIN)/photofeed smoke --notebooks notebooks --tutorials docs/tutorials

.PHONY: notebook-outputs
notebook-outputs: $(INSTALLED) $(CLIENTS) ## run the notebooks on a small demo, and store in them what they print
	@$(BIN)/photofeed smoke --notebooks notebooks --keep-outputs

notebook: $(INSTALLED) $(CLIENTS) ## open JupyterLab on notebooks/, on the data of a demo that runs [STATE=]
	@$(BIN)/jupyter lab --ip=127.0.0.1 notebooks

.PHONY: feast-ui
feast-ui: $(INSTALLED) ## open Feast's pages about the features of a running stack on 127.0.0.1 [PORT=8888, STATE=]
	@$(BIN)/photofeed feast ui --host 127.0.0.1 --port $(or $(PORT),8888)

test: $(INSTALLED) $(CLIENTS) $(WEB) ## run the tests, on real servers [TESTS=tests/unit, AGAIN=failed tests that may run a second time]
ifdef TESTS
	@$(BIN)/python -m pytest $(TESTS)
else
	@$(BIN)/python -m tools.run_tests --again $(or $(AGAIN),0)
endif

lint: $(INSTALLED) ## check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(INSTALLED) $(CLIENTS) ## check types, strictly
	@$(BIN)/mypy --explicit-package-bases $(PACKAGES)
	@cd feature_repo && ../$(BIN)/mypy --config-file ../pyproject.toml .
	@cd release && ../$(BIN)/mypy --config-file ../pyproject.toml .
	@cd benchmarks && ../$(BIN)/mypy --config-file ../pyproject.toml .

imports: $(INSTALLED) ## check which package imports which
	@$(BIN)/lint-imports --no-logo

prose: $(INSTALLED) ## check the documents: wording, columns, links, files and constants they name
	@$(BIN)/python -m tools.prose

check: test lint types imports prose web-check ## all of the above checks

.PHONY: docs
docs: $(INSTALLED) ## build the documentation site into build/site; warnings are errors
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -W ignore -m mkdocs build --strict
	@echo "build/site/index.html"

photo-cases: $(INSTALLED) ## compare what becomes of photos with what should; lines, then JSON [CASES=folder MANIFEST=table; without: made files]
	@$(BIN)/python -W ignore -m tools.photo_cases $(if $(CASES)$(MANIFEST),"$(CASES)" "$(MANIFEST)")

# benchmarks use tools and simulation from here
bench-% edge: export PYTHONPATH = .

bench-images: $(INSTALLED) ## what a photo costs, against npm sharp and naive Pillow; a table, then a line of JSON
	@$(BIN)/python -W ignore benchmarks/images.py $(BENCH)

bench-training: $(INSTALLED) ## what a training costs, against bare lightgbm.train; a table, then a line of JSON
	@$(BIN)/python -W ignore benchmarks/ranker_training.py $(BENCH)

bench-api: $(INSTALLED) ## p50 and p99 of every operation of the API under a realistic mix; a table, then a line of JSON [BENCH="--requests 3000"]
	@$(BIN)/python -W ignore benchmarks/api.py $(BENCH)

bench-feed: $(INSTALLED) $(CLIENTS) ## what a feed costs, against the stock way with Feast and Booster.predict; tables, then a line of JSON
	@$(BIN)/python -W ignore benchmarks/feed.py $(BENCH)

bench-feed-parts: $(INSTALLED) $(CLIENTS) ## where the processor time of a feed goes, and what no feed can do without; a table, then a line of JSON
	@$(BIN)/python -W ignore benchmarks/feed_parts.py $(BENCH)

bench-feed-growth: $(INSTALLED) $(CLIENTS) ## how the cost of a feed grows with candidates, follows and posts; a table and feed-growth.svg
	@$(BIN)/python -W ignore benchmarks/feed_growth.py $(BENCH)

bench-features: $(INSTALLED) $(CLIENTS) ## what features cost, against stock Feast and bare Redis; tables, then a line of JSON
	@$(BIN)/python -W ignore benchmarks/features.py $(BENCH)

bench-import: $(INSTALLED) ## what an import of a click log costs; a table, then a line of JSON [BENCH="--rows 5000000"]
	@$(BIN)/python -W ignore benchmarks/data_import.py $(BENCH)

web: $(WEB) ## build the browser app, where Node is installed

web-check: $(KIT) ## check style, types and tests of the browser app and of the TypeScript client, where Node is installed
	@if command -v npm >/dev/null; then \
		(cd clients/typescript && npm run --silent lint && npm run --silent typecheck && npm test) && \
		cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent lint && npm run --silent typecheck && npm test; \
	else echo "web: not checked: npm is missing (install nodejs 20 or later, with npm)"; fi

lock: $(INSTALLED) ## lock what pyproject.toml requires; pins that still fit stay [UPGRADE=1: newest versions]
	@$(BIN)/python release/lock.py $(if $(UPGRADE),--upgrade)

lock-check: $(INSTALLED) ## check that the locks are up to date and install on Linux and macOS arm64, Python 3.11 to 3.13
	@$(BIN)/python release/lock.py --check

wheel: $(INSTALLED) $(CLIENTS) $(WEB) ## build dist/, the wheel with the feature repo and the browser app inside
	@rm -rf build dist
	@$(UV) build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist

wheel-check: wheel ## install the wheel in an empty environment and folder, and run the smoke test there
	@$(BIN)/python release/wheel_check.py dist/*.whl

extras: wheel ## install serving and ingestion in empty environments, from requirements/, and run the smoke test with them
	@$(BIN)/python release/extras.py dist/*.whl

.PHONY: bench-sizes bench-viewer-rows bench-idle simulate-fanout
bench-viewer-rows: $(INSTALLED) ## what a viewer's rows cost Redis as keys, and as one hash; a table, then a line of JSON
	@$(BIN)/python -W ignore benchmarks/viewer_rows.py $(BENCH)

simulate-fanout: $(INSTALLED) ## what the celebrity threshold costs among 10 million accounts; a table, a line of JSON and fanout.svg
	@$(BIN)/python -W ignore benchmarks/fanout_simulation.py $(BENCH)

bench-idle: $(INSTALLED) ## what everything on one machine uses while nobody uses it; a table, then a line of JSON
	@$(BIN)/python -W ignore benchmarks/idle.py $(BENCH)

bench-sizes: $(INSTALLED) ## how many bytes things take in Redis, Kafka, PostgreSQL and object storage; a table, then a line of JSON
	@$(BIN)/python -W ignore benchmarks/sizes.py

.PHONY: bench-migrations
bench-migrations: $(INSTALLED) ## how long readers wait while a filled database of version 0.1.0 is migrated; a table, a line of JSON
	@$(BIN)/python -W ignore benchmarks/migrations.py $(BENCH)

.PHONY: edge
edge: $(INSTALLED) ## replay requests for images through Varnish; a line of JSON with hit rates; exit code 3 without Varnish
	@$(BIN)/python -W ignore benchmarks/edge.py $(BENCH)

.PHONY: deploy-check image-check dashboards dashboard-pictures chart
deploy-check: $(INSTALLED) ## lint the files of deploy/ and compare them with the code; says what it could not check
	@$(BIN)/python -m pytest -q -rs tests/deploy

chart: $(INSTALLED) ## render the Helm chart with its value sets into tests/deploy/rendered [HELM=path of helm]
	@$(BIN)/python -m tests.deploy.chart

dashboards: $(INSTALLED) ## write the Grafana dashboards of deploy/grafana from tools/dashboards
	@$(BIN)/python -m tools.dashboards

dashboard-pictures: $(INSTALLED) $(CLIENTS) ## draw the dashboards from a demo under load into docs/images; exit code 3 without Prometheus
	@$(BIN)/python -W ignore -m tools.dashboards.pictures $(PICTURES)

image-check: $(INSTALLED) ## carry out the steps of deploy/Dockerfile without Docker, and start the API, a worker and the trainer [IMAGES="api trainer"]
	@$(BIN)/python release/image_check.py $(IMAGES)

sbom: $(INSTALLED) ## list all installed dependencies with versions and licences in photofeed.cdx.json (CycloneDX)
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
		--output-file photofeed.cdx.json $(BIN)/python
	@echo "photofeed.cdx.json: written"

openapi: $(INSTALLED) ## write the API's OpenAPI document to docs/openapi.json, and what the clients have of it
	@$(BIN)/photofeed openapi > docs/openapi.json.new
	@cmp -s docs/openapi.json.new docs/openapi.json && rm docs/openapi.json.new || mv docs/openapi.json.new docs/openapi.json
	@$(MAKE) --no-print-directory -s clients

clients: $(CLIENTS) $(KIT) ## generate the models of clients/python and clients/typescript from docs/openapi.json, and build the latter

.PHONY: audit
audit: $(INSTALLED) ## look for vulnerable packages, credentials in files and unsafe code; exit code 3 if a service is away
	@$(BIN)/python -m tools.audit

.PHONY: attack
attack: $(INSTALLED) ## attack a fresh stack through plain HTTP clients; lines, then JSON (5 minutes)
	@$(BIN)/python -W ignore -m tools.attack

.PHONY: chaos
chaos: $(INSTALLED) ## break a stack under load for an hour, and compare what was accepted with what is there; lines, then JSON [CHAOS="--minutes 3": six faults]
	@$(BIN)/python -W ignore -m tools.chaos $(CHAOS)

.PHONY: load
load: $(INSTALLED) ## raise the load of a filled stack until an objective breaks, then overload it; lines, then JSON; a page in build/load [LOAD="--seconds 10"]
	@$(BIN)/python -W ignore -m tools.load $(LOAD)

.PHONY: soak
soak: $(INSTALLED) ## use a filled stack for an hour, and tell what grew; lines, then JSON [SOAK="--minutes 10"]
	@$(BIN)/python -W ignore -m tools.load.soak $(SOAK)

.PHONY: test-upgrade
test-upgrade: $(INSTALLED) ## upgrade a filled stack of version 0.1.0 under load, both side by side; lines, then JSON; exit code 3 where it cannot be installed [UPGRADE_TEST="--seconds 60"]
	@$(BIN)/python -W ignore -m tools.upgrade $(UPGRADE_TEST)

.PHONY: kafka test-kafka
kafka: $(INSTALLED) ## fetch Apache Kafka with Maven, for make test-kafka; exit code 3 where that is not possible
	@$(BIN)/python -m tools.kafka

KAFKA_TESTS := $(addprefix tests/contract/test_,event_log.py kafka_topics.py dead_letters.py) \
	tests/integration/ingestion/test_outbox_relay.py tests/integration/workers tests/kafka
# kafka-python leaves connections of clients that could not send all to the garbage collector, which warns.
test-kafka: kafka $(CLIENTS) ## run tests, with faults, on three brokers of Apache Kafka with SASL/SCRAM and TLS [TESTS=tests/kafka]
	@PHOTOFEED_TEST_KAFKA=1 $(BIN)/python -m pytest -W ignore::pytest.PytestUnraisableExceptionWarning $(or $(TESTS),$(KAFKA_TESTS))

.PHONY: restore-test
restore-test: $(INSTALLED) $(CLIENTS) ## back up a small world, restore it into an empty stack, and compare; lines, then JSON
	@$(BIN)/python -W ignore -m tools.restore

.PHONY: e2e
e2e: $(INSTALLED) $(CLIENTS) $(WEB) ## what people do in the browser app, in Chromium, on a phone and a desktop; lines, JSON, pictures in build/e2e; exit code 3 without Chromium [FLOWS="words of their names"]
	@$(BIN)/python -W ignore -m tools.e2e $(FLOWS)

.PHONY: policy
policy: $(INSTALLED) ## write the table of who may do what into docs/security.md
	@$(BIN)/python -m tools.policy

contract: $(INSTALLED) ## call the API in ways made up from its document, and generate clients from it; JSON [CONTRACT="--examples 40 --seed 7" for a longer run]
	@$(BIN)/python -W ignore -m tools.contract $(CONTRACT)

token: $(INSTALLED) ## print a token for a person of the demo: make token PERSON=handle
	@$(if $(PERSON),,echo "say whose token: make token PERSON=handle" >&2; exit 2;) $(BIN)/photofeed token --user "$(PERSON)"

clean-state: ## remove the stack's data; refused while it runs [STATE=]
	@python3 -m photofeed.embedded.clean_state "$${PHOTOFEED_STATE_DIR:-.photofeed}"

clean: ## remove what was installed and built, not the stack's data
	rm -rf $(VENV) build dist *.egg-info web/dist web/node_modules $(CLIENTS) clients/*/dist clients/*/node_modules \
		clients/python/photofeed_client/generated clients/typescript/src/generated .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache

# Run again only when the lock or the project changes; uv then changes only what differs.
$(INSTALLED): requirements.lock pyproject.toml
	@for python in $(if $(PYTHON),$(PYTHON),python3 python3.11 python3.12 python3.13) none; do \
		$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && break; \
	done; \
	if [ $$python = none ]; then \
		echo "photofeed needs Python 3.11, 3.12 or 3.13: install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	$$python -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "the venv module of $$python is missing: install python3-venv" >&2; exit 1; }; \
	echo "installing the dependencies into $(VENV) (once; a minute or two)"; \
	$$python -m venv $(if $(PYTHON),--clear) $(VENV)
	@[ -x $(UV) ] && [ "$$($(UV) --version | cut -d ' ' -f 2)" = $(UV_VERSION) ] || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target $(VENV)/uv uv==$(UV_VERSION)
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@$(BIN)/python -W ignore -m serving.warm_up
	@touch $@

# Run again only when the document or the generators change.
$(CLIENTS): docs/openapi.json $(wildcard tools/clients/*.py) | $(INSTALLED)
	@echo "generating the clients"; $(BIN)/python -m tools.clients
	@touch $@

$(KIT): $(CLIENTS) $(shell find clients/typescript -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/generated/*' 2>/dev/null)
	@if command -v npm >/dev/null; then \
		echo "building the TypeScript client"; cd clients/typescript && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build && touch dist/.built; \
	fi

$(WEB): $(KIT) $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
	@if command -v npm >/dev/null; then \
		echo "building the browser app"; cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build && touch dist/.built; \
	else echo "web: not built, the API works without it: npm is missing (install nodejs 20 or later, with npm)"; fi
