# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint types imports unit kernel kernel-soak kernel-flakes rehearsal-soak bench coverage generated clean

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

## demo: plan a shipped three-file pull request against a shipped snapshot of a Kubernetes node, and rehearse it where that is possible
demo: $(STAMP)
	$(BIN)/netchange plan --before docs/demo/node.json.gz docs/demo/pull-request
	@echo
	$(BIN)/netchange rehearse --before docs/demo/node.json.gz docs/demo/pull-request

## test: the whole suite; kernel tests are skipped with one loud line where the machine does not allow them
test: lint types imports unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)
	$(BIN)/pytest -n auto --dist loadfile

kernel: $(STAMP)
	$(BIN)/pytest -n auto --dist loadfile tests/kernel

## kernel-soak: N random nodes, 80 packets each, judged by the kernel; FIRST is the first seed
N ?= 1000
FIRST ?= 10000
kernel-soak: $(STAMP)
	$(BIN)/python tests/kernel/soak.py $(FIRST) $(N)

## rehearsal-soak: N random proposals, each taken back from after every step; FIRST is the first seed
rehearsal-soak: $(STAMP)
	$(BIN)/python tests/kernel/rehearsal_soak.py $(FIRST) $(N)

## kernel-flakes: everything that the kernel judges, or FILES of it, N times in a row; a test that fails in any of them is named
kernel-flakes: N = 10
kernel-flakes: $(STAMP)
	$(BIN)/python tests/kernel/flakes.py $(N) $(FILES)

coverage: $(STAMP)
	$(BIN)/pytest -n auto --dist loadfile --cov --cov-report=term

bench: $(STAMP)
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m benchmarks.change_size --write docs/benchmarks

## generated: write schemas/ and docs/reference/ again; a test keeps them current
generated: $(STAMP)
	$(BIN)/python docs/generate.py


clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis htmlcov .coverage build dist *.egg-info
