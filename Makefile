# The two commands of the project: `make demo` shows it, `make test` runs everything that CI runs.
# Both install what is missing and say so. Nothing outside this checkout is changed but cargo's own folders.

# `make demo PROFILE=dev` builds faster and runs slower.
PROFILE ?= release
TARGET  := $(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
VENV    := .venv
GUESTS  := modules/target/wasm32-wasip2/release
LANGUAGES := target/guests
DENY    := 0.20.2
SUDO    := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: help demo test bench fuzz simulate guests languages server wasm-target python node javascript-sdk faketime deny lint unit sdks clients clients-rust smoke

help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: guests server ## build, start a server, run the order workflow on real modules, show its history
	@BIN=target/$(TARGET)/stepwell GUESTS=$(GUESTS) bash modules/demo.sh

test: lint unit sdks clients smoke ## everything that CI runs
	@echo "== all checks passed"

bench: guests languages ## measure ratios against baselines of the same run
	cargo build --locked --release --workspace --bins
	target/release/stepwell-bench

FUZZ_SECONDS ?= 600
fuzz: ## run every fuzzer for FUZZ_SECONDS (600); not part of `make test`
	bash tests/fuzz/run.sh $(FUZZ_SECONDS)

STEPS ?= 1000000
simulate: ## simulate STEPS steps (1,000,000) of executor and store with injected faults; SEED=n begins with that seed
	STEPWELL_STEPS=$(STEPS) $(if $(SEED),STEPWELL_SEED=$(SEED)) cargo test --locked -p stepwell-executor --test simulation \
	  nothing_acknowledged -- --nocapture

guests: wasm-target ## build the task modules to WebAssembly components
	@echo "== building the task modules (wasm32-wasip2)"
	@cargo build --quiet --locked --release --target wasm32-wasip2 --manifest-path modules/Cargo.toml

languages: wasm-target python node ## build the same three guests in every language (Rust, Python, JavaScript, Go, C, Zig)
	@echo "== building guests in every language; compilers are installed into $(LANGUAGES)/tools"
	@bash tests/guests/build.sh $(LANGUAGES)

server: wasm-target ## build the server and command line
	@echo "== building stepwell ($(PROFILE)); the first time takes some minutes"
	@cargo build --locked --profile $(PROFILE) -p stepwell-server

wasm-target:
	@rustup target list --installed 2>/dev/null | grep -qx wasm32-wasip2 \
	  || { echo "== installing the Rust target wasm32-wasip2"; rustup target add wasm32-wasip2; }

python:
	@python3 -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "== installing python3 with venv (for the tests with boto3 and the AWS CLI)"; \
	  $(SUDO) apt-get update -q && $(SUDO) apt-get install -yq python3 python3-venv; }
	@cmp -s tests/clients/requirements.txt $(VENV)/installed || { \
	  echo "== installing boto3, the AWS CLI and pytest into $(VENV)"; \
	  python3 -m venv $(VENV) && $(VENV)/bin/pip install --quiet -r tests/clients/requirements.txt \
	  && cp tests/clients/requirements.txt $(VENV)/installed; }

javascript-sdk: node
	@! command -v npm >/dev/null || cmp -s tests/clients/js/package-lock.json tests/clients/js/node_modules/installed \
	  || { echo "== installing the JavaScript SDK into tests/clients/js"; cd tests/clients/js \
	  && npm ci --silent --no-audit --no-fund && cp package-lock.json node_modules/installed; } \
	  || echo "the JavaScript SDK cannot be installed: its tests will be skipped"

node:
	@command -v npm >/dev/null || { \
	  echo "== installing nodejs and npm (for guests in JavaScript and the tests with its SDK)"; \
	  $(SUDO) apt-get update -q && $(SUDO) apt-get install -yq nodejs npm; } \
	  || echo "npm cannot be installed: guests in JavaScript will be skipped"

faketime:
	@ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || { \
	  echo "== installing libfaketime (for the tests with clock jumps)"; \
	  $(SUDO) apt-get update -q && $(SUDO) apt-get install -yq libfaketime; } \
	  || echo "libfaketime cannot be installed: the tests with clock jumps will be skipped"

deny:
	@cargo deny --version 2>/dev/null | grep -qF $(DENY) \
	  || { echo "== installing cargo-deny $(DENY)"; cargo install --quiet --locked cargo-deny@$(DENY); }

lint: deny wasm-target ## formatting, lints, licences
	cargo fmt --all --check
	cargo fmt --all --check --manifest-path modules/Cargo.toml
	cargo fmt --all --check --manifest-path host/jsonata/guest/Cargo.toml
	cargo fmt --all --check --manifest-path guest-sdk/rust/conformance/Cargo.toml
	rustfmt --check --edition 2024 guest-sdk/rust/template/src/lib.rs
	cargo fmt --all --check --manifest-path host/sandbox/tests/smith/Cargo.toml
	cargo fmt --all --check --manifest-path tests/fuzz/Cargo.toml
	cargo fmt --all --check --manifest-path tests/clients/rust/Cargo.toml
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	cargo deny --log-level error check licenses bans sources
	cargo deny --log-level error --manifest-path host/jsonata/guest/Cargo.toml --config deny.toml check licenses bans sources
	@cargo deny --log-level off check advisories >/dev/null 2>&1 && echo "advisories ok" \
	  || echo "SKIPPED advisories: the advisory database is out of reach, or names one (cargo deny check advisories)"

unit: guests languages faketime ## all Rust tests, the real server included
	cargo test --locked --quiet --release --manifest-path modules/Cargo.toml
	cargo build --locked --quiet --workspace --bins
	STEPWELL_BIN=$(CURDIR)/target/debug/stepwell STEPWELL_GUESTS=$(CURDIR)/$(GUESTS) cargo test --locked --workspace

sdks: languages ## the native tests of the SDKs that are not Rust
	@bash tests/guests/test-sdks.sh $(LANGUAGES)

clients-rust: ## build the program that uses the AWS SDK for Rust: a workspace of its own, two minutes
	@echo "== building the tests with the AWS SDK for Rust"
	@cargo build --locked --quiet --manifest-path tests/clients/rust/Cargo.toml --target-dir target/clients-rust

clients: guests python javascript-sdk clients-rust ## boto3, the AWS CLI, the SDKs for JavaScript and Rust against the real server
	cargo build --locked --quiet --workspace --bins
	STEPWELL_BIN=$(CURDIR)/target/debug/stepwell STEPWELL_GUESTS=$(CURDIR)/$(GUESTS) $(VENV)/bin/pytest -q tests/clients

smoke: guests ## the demo, on the debug build
	cargo build --locked --quiet --workspace --bins
	BIN=target/debug/stepwell GUESTS=$(GUESTS) DEMO_KEEP=no bash modules/demo.sh
