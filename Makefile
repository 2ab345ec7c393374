# The few commands of this project. Everything that is built goes to a folder outside the clone.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dayfly
export CARGO_TARGET_DIR ?= $(CACHE)/target

.PHONY: help demo scenarios test bench dist audit fmt build pocket

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 12

demo: ## installs what is missing, builds, and trains on five workers of this machine
	@.ci/install cargo sshd python-venv
	cargo build --locked --bins
	"$(CARGO_TARGET_DIR)/debug/dayfly" run playbooks/digits.yml --local

build: ## dayfly and dayfly-agent, side by side
	cargo build --locked --bins

scenarios: ## every scenario on the pocket cloud: EC2 and S3 with real machines behind them (root, Linux)
	@.ci/install cargo nextest pocket
	cargo nextest run --locked --test cloud --profile scenarios

test: ## the whole gate: format, lints, units, end to end, against ansible-core, playbooks, documentation
	@.ci/gate

pocket: ## a cloud in one box, for trying things out: EC2, S3 and IAM with real hosts; needs root
	@.ci/install pocket
	@tests/cloud/start --person

bench: ## measures against plain ssh and ansible-core; writes benches/results.json and a table
	@.ci/install cargo sshd python-venv ansible pocket awscli
	cargo build --locked --release --bin dayfly --example transfer
	cargo build --locked --profile agent --no-default-features --bin dayfly-agent
	@.ci/bench

dist: ## a release archive with the static agent
	@.ci/dist

audit: ## known vulnerabilities among the dependencies
	@.ci/install cargo audit
	cargo audit

fmt: ## formats the code
	cargo fmt
