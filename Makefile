# `make help` lists everything that can be done here.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
DATA ?= ./data
LISTEN ?= localhost:9092

# Set up once, and again whenever the dependencies change.
READY := $(VENV)/.ready

.PHONY: help
help: ## List what can be done, one line each
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

$(READY): pyproject.toml hatch_build.py $(shell find src -name '_*.[ch]')
	@$(PYTHON) -c 'import sys; sys.exit("Ottla needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python lacks its venv module: apt-get install python3-venv"; exit 1; }
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.PHONY: setup
setup: $(READY) ## Make the environment in .venv and install everything into it

.PHONY: serve
serve: setup ## Start the platform on localhost:9092, its data in ./data (LISTEN=host:port DATA=folder)
	$(BIN)/ottla serve --listen $(LISTEN) --data-dir $(DATA)

.PHONY: test
test: setup ## Prove the promises: unit tests and a few with real clients (at most 10 minutes)
	$(RUN) -m pytest -m 'not interop and not soak' $(TESTS)

.PHONY: check
check: setup ## Format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(RUN) -m mypy
	$(BIN)/lint-imports

.PHONY: format
format: setup ## Put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: interop
interop: setup ## Real clients in bulk: librdkafka, kafka-python, aiokafka, kcat, and Java's where a JVM is
	$(RUN) -m pytest -m interop $(TESTS)

.PHONY: conformance
conformance: setup ## Write docs/conformance.md anew: what of Apache Kafka is here
	$(RUN) -m tests.conformance

.PHONY: metrics-page
metrics-page: setup ## Write the tables of docs/operating/metrics.md anew
	$(RUN) -m tests.metrics_page

.PHONY: soak
soak: setup ## What takes minutes each: librdkafka's slow tests, groups of twenty, older transactions, new seeds (half an hour)
	$(RUN) -m pytest -m soak $(TESTS)

.PHONY: java
java: ## Fetch Apache Kafka's own client and tools into .java (needs a JVM and Maven; the tests use them)
	mvn --quiet --batch-mode --file tests/interop/java/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/.java

.PHONY: librdkafka
librdkafka: ## Build librdkafka's own test suite into .librdkafka (3 minutes; needs npm, a C++ compiler, OpenSSL, RapidJSON)
	tests/interop/librdkafka/build.sh .librdkafka

.PHONY: kafka-python-suite
kafka-python-suite: setup ## Fetch kafka-python's own integration tests into .kafka-python
	tests/interop/kafka_python_suite/fetch.sh $(RUN) .kafka-python

.PHONY: cli-reference
cli-reference: setup ## Write docs/operating/cli.md anew from the commands' help
	$(RUN) -m tests.cli_reference

.PHONY: bench
bench: setup ## Measure: requests, bytes, memory, start-up, beside the machine's own floors
	$(RUN) -m benchmarks

.PHONY: clean
clean: ## Remove the environment and every cache, never data
	rm -rf $(VENV) .java .librdkafka .kafka-python build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
