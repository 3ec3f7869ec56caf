.DEFAULT_GOAL := help
.PHONY: help setup servers demo test check bench bench-on-demand bench-peers storm faults simulate wheel constraints clean
.NOTPARALLEL:
SHELL := bash

# one more than the cores that the ten minutes are meant for: much of a test is waiting
PYTEST_WORKERS ?= 3
SECONDS ?=
NODES ?=
SEED ?=
RUNS ?=
WRITE ?=
TASKS ?=
SCALE ?=
ROUNDS ?=
QUICK ?=

BIN := .venv/bin
BENCH_FLAGS = $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WRITE),--write)

help: ## what can be made, and with what
	@sed -nE 's/^([a-z-]+):[^#]*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

setup: ## .venv with everything at the versions of constraints.txt; does nothing the second time
	@tools/setup-venv

servers: setup # ZooKeeper and Java for demo, test and bench; PostgreSQL 15 for test
	@tools/setup-zookeeper

demo: servers ## a cluster with sample jobs on this machine: make demo [SECONDS=40] [NODES=3]
	@eval "$$(tools/setup-zookeeper --environment)" && \
	  exec $(BIN)/shardkeeper dev $$DEV_FLAGS $(if $(SECONDS),--seconds $(SECONDS)) $(if $(NODES),--nodes $(NODES))

check: setup ## format, lint, types, floors
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

test: check servers ## check, then every test, on real servers
	@tools/setup-for-tests
	@$(BIN)/pytest --numprocesses $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder

bench: servers ## the budget, scenario by scenario (`make bench-NAME` for one): make bench [ROUNDS=3] [WRITE=1]
	@$(BIN)/python -m bench $(BENCH_FLAGS)

bench-%: servers
	@$(BIN)/python -m bench $* $(BENCH_FLAGS)

bench-on-demand: servers ## submit, drain and pick up work on demand, beside other queues on this machine: make bench-on-demand [AWAKE=1] [WRITE=1]
	@$(BIN)/python -m bench.on_demand $(if $(AWAKE),--awake) $(if $(WRITE),--write)

bench-peers: servers ## schedules that fire every second, beside other schedulers on this machine: make bench-peers [QUICK=1]
	@$(BIN)/python -m bench.schedules $(if $(QUICK),--quick) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WRITE),--write)

storm: servers ## submitted tasks under kill -9 of nodes and workers, judged: make storm [TASKS=100000] [NODES=3] [SEED=1]
	@$(BIN)/python -m bench.storm $(if $(TASKS),--tasks $(TASKS)) $(if $(NODES),--nodes $(NODES)) $(if $(SEED),--seed $(SEED))

faults: servers ## real faults on real processes, judged: make faults [SEED=1] [NODES=5] [SCALE=1] [WRITE=1]
	@tools/setup-compiler
	@$(BIN)/python -m bench.faults $(if $(SEED),--seed $(SEED)) $(if $(NODES),--nodes $(NODES)) $(if $(SCALE),--scale $(SCALE)) \
	  $(if $(WRITE),--write)

simulate: setup ## the simulated cluster: make simulate [SEED=7] [RUNS=1000]
	@$(BIN)/python -m shardkeeper.simulation $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS))

wheel: setup ## dist/shardkeeper-*.whl, with no network
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl

constraints: ## renew constraints.txt with the newest versions that pyproject.toml allows
	@tools/renew-constraints

clean: ## remove what was made here; the state of `shardkeeper dev` lies elsewhere
	rm -rf .venv .setup.lock dist build .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
