# The front door. Each line is one script or one tool call; the build itself is Meson's.
.DEFAULT_GOAL := build
.PHONY: help run build test test-unit test-asan test-tsan test-clang test-turn test-nat fuzz bench web format tidy \
	install clean docs

help: ## list what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

run: ## install what is missing, build, and serve with data in ./data (ARGS=... for the server)
	@scripts/run $(ARGS)

build: ## build the programs into build/release
	@scripts/install-deps build
	@scripts/build release

web: ## build the web pages
	@scripts/install-deps build
	@scripts/build-web

test: ## everything: all builds, sanitizers, browsers, networks, fuzzing (about 40 minutes on two cores)
	@scripts/test

test-unit: ## unit tests of the release build
	@scripts/test release

test-asan: ## unit tests with the address and undefined behaviour sanitizers
	@scripts/test asan

test-tsan: ## unit tests with the thread sanitizer
	@scripts/test tsan

test-clang: ## unit tests as clang compiles them
	@scripts/test clang

test-turn: ## the relay: coturn's tools, attacks
	@scripts/test turn

test-nat: ## calls between networks of every kind (as root)
	@scripts/test nat

fuzz: ## each fuzz target for FUZZ_SECONDS (60)
	@scripts/test fuzz

bench: ## measure against other servers (see bench/)
	@scripts/install-deps build run bench
	@scripts/build release
	@bench/run $(ARGS)

format: ## put the C files in shape
	@python3 test/tidy/format.py --fix

tidy: ## style, layers, links (--notes in ARGS for hints); includes the format check
	@python3 test/tidy/tidy.py $(ARGS)
	@python3 test/tidy/format.py

docs: ## where to read, after a check that no page links to nowhere
	@python3 test/tidy/tidy.py
	@echo "README.md, CONTRIBUTING.md, doc/"

install: build web ## install programs and pages below /usr/local (DESTDIR=... goes before it)
	@meson install -C build/release

clean: ## remove all that was built; data/ stays
	rm -rf build web/dist web/*/dist
