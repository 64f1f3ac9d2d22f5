# `make` without a target lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.synced
SAM_BIN   := .venv-sam/bin
SAM_READY := .venv-sam/.synced
CHECKOV_READY := .venv-checkov/.synced
BENCH_READY := .venv-bench/.synced
CLIENTS_READY := .venv-clients/.synced
MUTANTS_READY := .venv-mutants/.synced
AUDIT_READY := .venv-audit/.synced
NODE_READY := contracts/node_modules/.synced
LOCK   := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

# The AWS CLI reads both; boto3 and sam read AWS_DEFAULT_REGION only.
ifdef AWS_REGION
export AWS_DEFAULT_REGION := $(AWS_REGION)
endif

.DEFAULT_GOAL := help
# All targets are commands, not files.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' Makefile)

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 20

run: $(READY) ## Run the whole platform on this machine; Ctrl-C stops it
	@exec $(BIN)/python -m local run

up: $(READY) ## Run the platform in the background; returns when it is ready
	@$(BIN)/python -m local up

down: $(READY) ## Stop the platform of `make up`, or of a killed `make run`
	@$(BIN)/python -m local down

status: $(READY) ## Show whether the platform is running, and its addresses
	@$(BIN)/python -m local status

clean: ## Delete the local platform's data, build results and caches
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local clean; else rm -rf .local; fi
	@rm -rf contracts/build .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find functions layers local ops tests bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# In parallel, with unmixed output (GNU Make 4). The environments come first, because build starts another make.
PARALLEL := -j2 $(if $(filter output-sync,$(.FEATURES)),--output-sync)
test: $(READY) $(SAM_READY) $(CHECKOV_READY) $(AUDIT_READY) $(CLIENTS_READY) $(if $(shell command -v npm),$(NODE_READY)) ## Run all checks: lint, types, templates, and tests on real servers
	@$(MAKE) --no-print-directory $(PARALLEL) validate lint build-here programs
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

generate: openapi ## Write all generated files: samples, lists of events in templates and documents, openapi.json
	@$(BIN)/python -m events.generate

openapi: $(READY) ## Write the description of the API, which is served at /openapi.json
	@$(BIN)/python -m allocation_api.openapi.build

schemathesis: EXAMPLES ?= 100
schemathesis: programs ## Call every operation of the API with valid and invalid requests, as administrator and as user (EXAMPLES= each, FUZZ_SEED=)
	@EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -q -s -p no:xdist tests/integration/api/test_contract.py

contracts: servers $(NODE_READY) ## Check contracts/: AsyncAPI's parser, TypeScript, and the examples on a real broker (needs npm)
	@$(BIN)/python -m pytest -q tests/contracts

go-example: servers ## Compile the Go example and publish with it (needs golang-go and golang-github-rabbitmq-amqp091-go-dev)
	@$(BIN)/python -m pytest -q tests/contracts/go

clients: servers $(NODE_READY) $(CLIENTS_READY) ## Generate clients of the API in TypeScript and Python, and use them (needs npm)
	@$(BIN)/python -m pytest -q tests/integration/api/test_clients.py

record: servers ## Record docs/recording.svg from a platform of its own
	@$(BIN)/python -m local.recording

pictures: programs ## Take the pictures in docs/console/ (needs a Chinese font, such as fonts-wqy-microhei)
	@RECORD=1 $(BIN)/python -m pytest -q -n 0 tests/integration/console/test_situations.py

# The code is that of HEAD, so the tests of rolling deployments run what was committed.
RELEASED_CODE := functions layers/scheduler/scheduler ':!functions/allocation_api/openapi/openapi.json'
sessions: servers ## Record the sessions in docs/three-questions.md
	@RECORD=1 $(BIN)/python -m pytest -q -n 0 tests/integration/ops/test_sessions.py

release: $(READY) ## Record contracts and code as released: later ones must be compatible with them
	@git diff --quiet HEAD -- $(RELEASED_CODE) || { echo "commit first: the code of HEAD is recorded"; exit 1; }
	@$(BIN)/python -m events.contracts.release
	@git archive -9 -o tests/integration/rolling/former.tar.gz HEAD $(RELEASED_CODE)

# The properties about arbitrary input; each example of a pipeline takes a transaction.
ANY_INPUT := tests/integration/pipeline/test_anything.py tests/unit/messaging tests/unit/observability tests/unit/api
attack: programs ## Attack longer than `make test` does: every operation of the API, arbitrary messages, floods
	@$(MAKE) --no-print-directory schemathesis EXAMPLES=200
	@EXAMPLES=1000 $(BIN)/python -m pytest -q $(ANY_INPUT)
	@$(BIN)/python -m bench.floods

lint: $(READY) ## Run ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

structure: $(READY) ## Print figures of the source tree: files, names, import circles (TREE= of another checkout)
	@$(BIN)/python -m tests.structure $(TREE)

programs: $(READY)
	@$(BIN)/python -m local install --browser

servers: $(READY) ## Install mariadbd and rabbitmq-server if they are missing
	@$(BIN)/python -m local install

scenarios: up ## Run the six acceptance scenarios step by step on the running platform
	@$(BIN)/python -m tests.scenarios

WHAT ?= database
FOR  ?= 60
outage: up ## Stop a server of the running platform and tell what happens (WHAT=database|broker|aws FOR=seconds)
	@$(BIN)/python -m tests.scenarios.outage $(WHAT) $(FOR)

KILLS   ?= $(if $(NETWORK),0,1000)
NETWORK ?=
SHARDS  ?= 1
SEED    ?= 1
faults: servers ## Kill function, broker and database under load, or disturb the network; print what was lost or doubled (KILLS=, NETWORK=300, SHARDS=, SEED=)
	@$(BIN)/python -m tests.faults drill --kills $(KILLS) --network $(or $(NETWORK),0) --shards $(SHARDS) --seed $(SEED)

faults-controls: servers ## Run the drill with weakened functions; fail unless each is reported (SEED=)
	@$(BIN)/python -m tests.faults controls --seed $(SEED)

bench: servers build-here $(BENCH_READY) ## Measure the event functions, also against bare SQL and other consumers (5 minutes)
	@.venv-bench/bin/python -m bench

dispatch-kills: KILLS = 100
dispatch-kills: servers ## Kill the notification dispatcher under load; print what was lost or sent twice (KILLS=, SEED=)
	@$(BIN)/python -m tests.integration.dispatch.kills --kills $(KILLS) --seed $(SEED)

bench-api: servers ## Measure allocation with 10,000 devices and 1,000,000 old allocations, against 100 and none
	@$(BIN)/python -m bench.api

bench-dispatch: servers ## Measure the time and cost of sending 10,000 due deliveries
	@$(BIN)/python -m bench.dispatch

bench-neighbour: servers ## Measure other users' frames while one user floods their inbox (with 15 and with 20 sockets)
	@$(BIN)/python -m bench.neighbour --sockets 15
	@$(BIN)/python -m bench.neighbour --sockets 20

bench-floods: servers ## Measure another user's requests while one user floods the API (4 minutes)
	@$(BIN)/python -m bench.floods

DEVICES ?= 10000000
bench-housekeeping: servers ## Measure a run of each housekeeping job in a large fleet (DEVICES=10000000: an hour, 15 GB of disk)
	@$(BIN)/python -m bench.housekeeping --devices $(DEVICES)

MESSAGES ?= 100000
bench-backlog: servers ## Measure whether a queue of 100,000 messages is drained as fast as a short one (MESSAGES=)
	@$(BIN)/python -m bench.drain --messages $(MESSAGES)

ROWS ?= 10000000
POOL ?= 2560M
bench-history: servers ## Measure a batch with ten million rows of history (ROWS=10000000: half an hour, 15 GB of disk; POOL=12G: memory of the database)
	@$(BIN)/python -m bench.history --rows $(ROWS) --buffer-pool $(POOL)

bench-memory: servers build-here ## Measure CPU, waiting and memory of invocations; print time and price at each MemorySize
	@$(BIN)/python -m bench.memory

bench-brake: servers ## Measure the mass-failure brake with its default limits, in fleets of up to a million devices
	@$(BIN)/python -m bench.brake

bench-console: servers ## Measure the console's panels with 100,000 devices, 10,000 dead letters, 1,000,000 old notifications
	@$(BIN)/python -m bench.console

bench-letters: servers ## Measure listing, checking, replaying and discarding 100,000 dead letters (5 minutes)
	@$(BIN)/python -m bench.letters

bench-upgrade: servers ## Measure how long migration 0041 takes, and blocks writes, with 1,000,000 devices
	@$(BIN)/python -m bench.upgrade

DOWN ?= 300
bench-ses-outage: servers ## Measure push latency while SES hangs (DOWN=300 seconds), and the e-mails afterwards
	@$(BIN)/python -m bench.ses_outage --down $(DOWN)

stateful: EXAMPLES ?= 2000
stateful: servers ## Test random sequences of API calls and events for longer than `make test` does (EXAMPLES=)
	@EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -q tests/integration/allocation/test_any_order.py

MODULE  ?=
MINUTES ?= 120
mutants: servers $(MUTANTS_READY) ## Change the product in small ways; print what no test notices (MODULE=scheduler.domain, MINUTES=)
	@.venv-mutants/bin/python -m tests.mutants $(MODULE) --minutes $(MINUTES)

ROUNDS ?= 10000
race: servers ## Let eight processes compete for devices and quota; prints p50 and p99 (ROUNDS=)
	@ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -q tests/integration/allocation/test_race.py

bench-latency: servers ## Measure the latency from publishing to the WebSocket frame at 1/s and 100/s
	@$(BIN)/python -m bench.latency

# sam does not verify hashes of wheels for other architectures, so pip downloads and verifies them first.
# Bytecode is not validated by modification time: /opt and /var/task are read-only, and zip rounds times.
SAM_IN_REGION := PATH="$(CURDIR)/$(SAM_BIN):$$PATH" SAM_CLI_TELEMETRY=0 sam
SAM          := AWS_DEFAULT_REGION=$${AWS_DEFAULT_REGION:-us-east-1} $(SAM_IN_REGION)
HERE         := $(subst aarch64,arm64,$(shell uname -m))
ARCHITECTURE ?= $(HERE)
PLATFORM     := manylinux2014_$(subst arm64,aarch64,$(ARCHITECTURE))
WHEELS       := .aws-sam/wheels
PIP_FETCH    := $(SAM_BIN)/python -m pip download --quiet --disable-pip-version-check --require-hashes --dest $(WHEELS) $(patsubst %,-r %,$(wildcard layers/*/requirements.txt))
COMPILE      := $(SAM_BIN)/python3.13 -m compileall -q -j 0 --invalidation-mode unchecked-hash

build: $(SAM_READY) $(AUDIT_READY) ## Build for the architecture of this machine, or for ARCHITECTURE=arm64 or x86_64
	@$(PIP_FETCH)
	@$(PIP_FETCH) --only-binary :all: --platform $(PLATFORM)
	@PIP_NO_INDEX=1 PIP_FIND_LINKS=$(CURDIR)/$(WHEELS) $(SAM) build --parameter-overrides Architecture=$(ARCHITECTURE)
	@for l in .aws-sam/build/*Layer; do $(COMPILE) -s $$l -p /opt $$l; done
	@for f in .aws-sam/build/*Function; do $(COMPILE) -s $$f -p /var/task $$f; done
	@mkdir -p .aws-sam/sbom && for l in layers/*/; do .venv-audit/bin/cyclonedx-py requirements --output-reproducible \
	  -o .aws-sam/sbom/$$(basename $$l).cdx.json $$l/requirements.txt; done

EVENT    ?= events/device-failed.json
FUNCTION ?=
invoke: up build-here ## Invoke a function with a sample, by `sam local invoke` on the local platform (EVENT=, FUNCTION=; needs Docker)
	@$(BIN)/python -m local.sam $(EVENT) $(if $(FUNCTION),--function $(FUNCTION))

test-outages: programs ## Test `make outage` with each server for some seconds
	@$(BIN)/python -m pytest -q tests/scenarios/outages

test-sam: servers build-here ## Test every function with all its samples by `sam local invoke`; needs Docker (LAMBDA_IMAGE=)
	@$(BIN)/python -m pytest -v tests/sam/docker

build-here: ## Build for the architecture of this machine
	@$(MAKE) --no-print-directory build ARCHITECTURE=$(HERE)

validate: $(SAM_READY) $(CHECKOV_READY) ## Check template.yaml and the nested templates with sam, cfn-lint and checkov
	@$(SAM) validate
	@$(SAM_BIN)/cfn-lint template.yaml infrastructure/*.yaml infrastructure/ci/*.yaml && echo "cfn-lint: nothing found"
	@.venv-checkov/bin/checkov --config-file .checkov.yaml $(patsubst %,-f %,template.yaml $(wildcard infrastructure/*.yaml infrastructure/ci/*.yaml)) && echo "checkov: nothing found"

# dev is the section [default] of samconfig.toml. Build and deploy need the same architecture, that of the section.
ENVIRONMENT ?= dev
CONFIG_ENV  = $(patsubst dev,default,$(ENVIRONMENT))
DEPLOYED    = $(or $(shell sed -n '/^\[$(CONFIG_ENV)\.global/,/^\[.*\.build/s/.*"Architecture=\(.*\)".*/\1/p' samconfig.toml),x86_64)
DEPLOY_OPTIONS ?=
deploy: preflight validate ## Deploy to AWS (ENVIRONMENT=dev or prod, see samconfig.toml; DEPLOY_OPTIONS= of sam deploy)
	@$(MAKE) --no-print-directory build ARCHITECTURE=$(DEPLOYED)
	@$(SAM_IN_REGION) $(strip deploy $(DEPLOY_OPTIONS) --config-env $(CONFIG_ENV))

WITHOUT ?=
preflight: $(READY) ## Check whether the AWS account is ready for a deployment (ENVIRONMENT=, WITHOUT="check …")
	@$(BIN)/python -m ops.preflight $(CONFIG_ENV) $(addprefix --without ,$(WITHOUT))

# As on an operator's machine: nothing but the package and what it requires, in the locked versions.
package: $(READY) ## Build the package of scheduler-ops, install it into an empty environment, and run it
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT \
	&& (cd ops && ../$(BIN)/python -m hatchling build -t wheel -d "$$folder") \
	&& $(BIN)/uv venv --quiet --no-python-downloads --python $(BIN)/python "$$folder/empty" \
	&& $(BIN)/uv pip install --quiet --python "$$folder/empty/bin/python" -c requirements/dev.txt "$$folder"/*.whl \
	&& cd "$$folder" && empty/bin/scheduler-ops --version && empty/bin/scheduler-ops --help

lock: $(READY) ## Resolve the dependencies in pyproject.toml into lock files; versions that still fit are kept
	@$(LOCK) --group layer -o layers/scheduler/requirements.txt
	@$(LOCK) --group provisioning -o layers/provisioning/requirements.txt
	@$(LOCK) --group dev -o requirements/dev.txt
	@$(LOCK) --group sam -o requirements/sam.txt
	@$(LOCK) --group checkov -o requirements/checkov.txt
	@$(LOCK) --group clients -o requirements/clients.txt
	@$(LOCK) --group audit -o requirements/audit.txt
	@$(LOCK) --group bench -c requirements/dev.txt -o requirements/bench.txt
	@$(LOCK) --group mutants -c requirements/dev.txt -o requirements/mutants.txt

upgrade: LOCK += --upgrade
upgrade: lock ## Upgrade all locked dependencies; review the difference, then run `make test audit`

audit: $(AUDIT_READY) ## Look up known vulnerabilities of the locked packages at osv.dev
	@$(BIN)/python requirements/audit.py layers/*/requirements.txt requirements/*.txt

IMPORT_ROOTS := -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "cloudphone.pth").write_text("".join(f"../../../../{root}\n" for root in (".", "functions", "layers/scheduler")))'

# The environment is updated when its lock file changes. The .pth file lets every program in it import
# the project; its paths are relative, so that the checkout can be moved.
$(READY): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed, $(PYTHON) is " + sys.version.split()[0] + "; try: make PYTHON=python3.13")'
	@echo "Installing the Python environment into $(VENV) (once, and when requirements/dev.txt changes)"
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; }
	@$(BIN)/uv pip sync --python $(BIN)/python requirements/dev.txt
	@$(BIN)/python $(IMPORT_ROOTS)
	@touch $@

$(SAM_READY): requirements/sam.txt $(READY)
	@echo "Installing SAM into .venv-sam (once, and when requirements/sam.txt changes)"
	@test -x $(SAM_BIN)/python || $(BIN)/uv venv --quiet --seed --clear --no-python-downloads --python 3.13 .venv-sam 2>/dev/null || $(PYTHON) -m venv .venv-sam
	@$(BIN)/uv pip sync --quiet --python $(SAM_BIN)/python requirements/sam.txt
	@touch $@

$(NODE_READY): contracts/package-lock.json
	@echo "Installing the npm packages of contracts/ (once, and when contracts/package-lock.json changes)"
	@npm ci --prefix contracts --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(CHECKOV_READY): requirements/checkov.txt $(READY)
	@echo "Installing checkov into .venv-checkov (once, and when requirements/checkov.txt changes)"
	@test -x .venv-checkov/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .venv-checkov
	@$(BIN)/uv pip sync --quiet --python .venv-checkov/bin/python requirements/checkov.txt
	@touch $@

$(CLIENTS_READY): requirements/clients.txt $(READY)
	@echo "Installing the client generator into .venv-clients (once, and when requirements/clients.txt changes)"
	@test -x .venv-clients/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .venv-clients
	@$(BIN)/uv pip sync --quiet --python .venv-clients/bin/python requirements/clients.txt
	@touch $@

$(AUDIT_READY): requirements/audit.txt $(READY)
	@echo "Installing the tools for audits into .venv-audit (once, and when requirements/audit.txt changes)"
	@test -x .venv-audit/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .venv-audit
	@$(BIN)/uv pip sync --quiet --python .venv-audit/bin/python requirements/audit.txt
	@touch $@

$(BENCH_READY): requirements/bench.txt $(READY)
	@echo "Installing the benchmark environment into .venv-bench (once, and when requirements/bench.txt changes)"
	@test -x .venv-bench/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .venv-bench
	@$(BIN)/uv pip sync --quiet --python .venv-bench/bin/python requirements/bench.txt
	@.venv-bench/bin/python $(IMPORT_ROOTS)
	@touch $@

$(MUTANTS_READY): requirements/mutants.txt $(READY)
	@echo "Installing the mutation tool into .venv-mutants (once, and when requirements/mutants.txt changes)"
	@test -x .venv-mutants/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .venv-mutants
	@$(BIN)/uv pip sync --quiet --python .venv-mutants/bin/python requirements/mutants.txt
	@.venv-mutants/bin/python $(IMPORT_ROOTS)
	@touch $@
