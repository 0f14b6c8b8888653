# vfailover: every target installs and builds what it needs first. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PACKAGES := clang llvm gcc make python3 iproute2 libbpf-dev libelf-dev zlib1g-dev bpftool iperf3 util-linux
BPF_OBJECTS := $(patsubst %.c,%.o,$(wildcard bpf/*.bpf.c))
ADDON := packages/bpf-loader-ts/build/Release/bpf_loader.node
# Node's own headers where they stand beside the binary; else node-gyp fetches them.
NODE_PREFIX := $(shell node -p 'path.dirname(path.dirname(fs.realpathSync(process.execPath)))')
NODE_HEADERS := $(if $(wildcard $(NODE_PREFIX)/include/node/node_api.h),--nodedir=$(NODE_PREFIX))
NODE_TOOLS := PATH=$(CURDIR)/node_modules/.bin:$$PATH

.PHONY: help deps build bindings test test-unit check format fuzz bench demo clean distclean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build/deps.ok: Makefile
	@mkdir -p build
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'install ok installed' || echo -n "$$p "; done); \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" != 0 ]; then \
	    echo "Missing Debian packages. Run as root:"; echo "  apt-get update && apt-get install -y --no-install-recommends $$missing"; exit 1; \
	  fi; \
	  echo "installing $$missing"; \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing) >build/apt.log 2>&1 \
	    || { tail -20 build/apt.log; exit 1; }; \
	fi; touch $@

node_modules/.package-lock.json: package.json package-lock.json packages/bpf-loader-ts/package.json
	npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

deps: build/deps.ok node_modules/.package-lock.json ## Debian and npm packages

bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) build/deps.ok
	clang -g -O2 -mcpu=v3 -target bpf -Wall -Werror -fdebug-compilation-dir=. -I/usr/include/$$(gcc -print-multiarch) -c $< -o $@
	@llvm-strip -g $@

$(ADDON): $(wildcard packages/bpf-loader-ts/native/*) packages/bpf-loader-ts/binding.gyp | build/deps.ok node_modules/.package-lock.json
	cd packages/bpf-loader-ts && $(CURDIR)/node_modules/.bin/node-gyp rebuild --loglevel=error $(NODE_HEADERS) >$(CURDIR)/build/addon.log 2>&1 \
	  || { cat $(CURDIR)/build/addon.log; exit 1; }

build/ts.ok: $(shell find bpf src workers bench test packages/bpf-loader-ts/src packages/bpf-loader-ts/fuzz packages/bpf-loader-ts/test -name '*.ts') tsconfig*.json | node_modules/.package-lock.json
	$(NODE_TOOLS) tsc -b
	@chmod +x dist/src/cli/main.js
	@touch $@

build: $(BPF_OBJECTS) $(ADDON) build/ts.ok ## programs, addon, TypeScript

test: build ## every test, fast ones first
	$(NODE_TOOLS) vitest run

test-unit: build ## tests that need no privileges
	$(NODE_TOOLS) vitest run --project unit

BPF2TS := node packages/bpf-loader-ts/dist/bpf2ts/main.js

bindings: build ## bpf/*.bpf.ts, anew from the compiled programs
	@for o in $(BPF_OBJECTS); do $(BPF2TS) $$o || exit 1; done

check: build ## format, lint, types, and bindings that are those of the programs
	$(NODE_TOOLS) biome check .
	$(NODE_TOOLS) tsc -b
	@for o in $(BPF_OBJECTS); do $(BPF2TS) --check $$o || exit 1; done

format: deps ## rewrite files as `check` wants them
	$(NODE_TOOLS) biome check --write .

FUZZ_SECONDS := 600
fuzz: build ## damaged objects and types, for FUZZ_SECONDS; what does harm is kept in build/fuzz
	@mkdir -p build/fuzz
	node dist/packages/bpf-loader-ts/fuzz/main.js --seconds $(FUZZ_SECONDS) --seed $$RANDOM$$RANDOM --keep build/fuzz $(BPF_OBJECTS)

demo: build ## build an instance in namespaces, break it in every way, print what it cost
	dist/src/cli/main.js demo --devices veth
	dist/src/cli/main.js demo --devices tap

bench: build ## measure; table on the terminal, bench/results/latest.json
	node dist/bench/main.js

clean: ## what was built
	rm -rf dist build bpf/*.o packages/bpf-loader-ts/dist packages/bpf-loader-ts/build

distclean: clean ## and what was installed into the tree
	rm -rf node_modules
