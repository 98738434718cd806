# Verbs only; meson does the work. `make help` lists them.
.PHONY: help setup build deb demo test test-quick bench fmt lint soak screenshots fuzz clean
.DEFAULT_GOAL := help
MESON_RELEASE := --buildtype=release -Doptimization=2 -Db_lto=true -Dstripped=true -Dtests=false

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

setup: ## install what is missing to build (asks before sudo)
	@tools/setup.sh

build: setup ## the release program, everything inside: build/vitrine
	@test -f build/build.ninja || meson setup build $(MESON_RELEASE)
	@ninja -C build
	@echo "built: build/vitrine"

deb: build ## a Debian package of it: build/vitrine_VERSION_ARCHITECTURE.deb
	@packaging/deb/build build/vitrine build/NOTICE build

demo: build ## build, then serve the sample database; PORT=8001
	@exec build/vitrine serve examples/demo/*.db --port $(or $(PORT),8001)

test: ## everything: unit, black box, browser, fuzz corpora, style
	@tools/setup.sh --test
	@tools/run_tests $(WHICH)

test-quick: ## unit tests, fuzz corpora and style only
	@tools/setup.sh --test
	@tools/run_tests --quick

bench: build ## throughput, latency, memory; results in bench/RESULTS.md
	@tools/setup.sh --bench
	@bench/run

fmt: ## format the C files
	@tools/fmt.sh

lint: ## format check, layers, style, READMEs, cppcheck, clang-tidy
	@tools/setup.sh --test
	@tools/run_tests --lint

soak: build ## hours of mixed load; SECONDS_TO_RUN=3600
	@tests/soak/run $(or $(SECONDS_TO_RUN),3600)
	@tests/soak/upgrades $(or $(SECONDS_TO_RUN),3600)
	@tests/soak/uploads
	@tests/soak/edge
	@tests/soak/hold
	@tests/soak/signins
	@tests/soak/moments
	@tests/soak/spaces
	@tests/soak/hub
	@tests/soak/noisy
	@tests/soak/fleet
	@tests/soak/systemd
	@tests/soak/image

screenshots: build ## pictures of the pages: build/screenshots, and those of the documentation
	@tests/browser/screenshots build/screenshots
	@tests/browser/screenshots --docs

fuzz: setup ## look for new inputs that break a reader; FUZZ_SECONDS=60 each
	@tools/fuzz.sh $(or $(FUZZ_SECONDS),60)

clean: ## remove every build folder
	@rm -rf build build-*
