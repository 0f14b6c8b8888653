# vfailover: every target installs and builds what it needs first. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# libbpf-dev is for programs alone (bpf/bpf_helpers.h): the addon has a libbpf of its own. dpkg-dev unpacks its sources.
PACKAGES := clang llvm gcc libc6-dev make python3 dpkg-dev iproute2 libbpf-dev bpftool iperf3 util-linux \
  binutils zstd xz-utils debian-archive-keyring
LOADER := packages/bpf-loader-ts
BPF_OBJECTS := $(patsubst %.c,%.o,$(wildcard bpf/*.bpf.c))
EXAMPLES := $(patsubst %.c,%.o,$(wildcard $(LOADER)/examples/*.bpf.c))
# The addon's architecture, in Node's words: `make prebuild ARCH=arm64` takes Debian's cross compiler.
HOST_ARCH := $(shell node -p process.arch)
ARCH := $(HOST_ARCH)
CROSS := $(if $(filter-out $(HOST_ARCH),$(ARCH)),$(subst x64,x86_64,$(subst arm64,aarch64,$(ARCH)))-linux-gnu-)
ADDON := $(LOADER)/prebuilds/linux-$(ARCH)/bpf_loader.node
ADDON_SOURCES := $(wildcard $(LOADER)/native/*.* $(LOADER)/native/elfutils/*) $(LOADER)/deps/versions
SANITIZED := build/sanitized/$(ADDON)
NODES := $(LOADER)/test/release/nodes
# Node's own headers where they stand beside the binary; else node-gyp fetches them.
NODE_PREFIX := $(shell node -p 'path.dirname(path.dirname(fs.realpathSync(process.execPath)))')
NODE_HEADERS := $(if $(wildcard $(NODE_PREFIX)/include/node/node_api.h),npm_config_nodedir=$(NODE_PREFIX))
NODE_TOOLS := PATH=$(CURDIR)/node_modules/.bin:$$PATH

.PHONY: help deps prebuild build bindings docs test test-full test-unit test-sanitizers vm-test check format fuzz bench bench-vm demo clean distclean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

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

%.bpf.o: %.bpf.c $(wildcard bpf/*.h) build/deps.ok
	clang -g -O2 -mcpu=v3 -target bpf -Wall -Werror -fdebug-compilation-dir=. -I/usr/include/$$(gcc -print-multiarch) -c $< -o $@
	@llvm-strip -g $@

# Debian's libbpf, elfutils and zlib.
$(LOADER)/deps/versions: $(LOADER)/native/fetch-deps.sh | build/deps.ok
	$< $(LOADER)/deps

$(ADDON): $(ADDON_SOURCES) | node_modules/.package-lock.json
	cd $(LOADER) && $(NODE_TOOLS) $(NODE_HEADERS) JOBS=$(shell nproc) CC=$(CROSS)gcc LINK=$(CROSS)gcc AR=$(CROSS)ar \
	  prebuildify --cwd native --out . --name bpf_loader --napi --target $$(node -p process.versions.node) \
	  --arch $(ARCH) --strip --strip-bin $(CROSS)strip >$(CURDIR)/build/addon.log 2>&1 || { cat $(CURDIR)/build/addon.log; exit 1; }

# The same with sanitizers, in a tree of its own that has what the suite needs.
$(SANITIZED): $(ADDON_SOURCES) | node_modules/.package-lock.json
	rm -rf build/sanitized && mkdir -p build/sanitized/$(LOADER)
	cp -r $(LOADER)/native build/sanitized/$(LOADER) && rm -rf build/sanitized/$(LOADER)/native/build
	ln -s $(CURDIR)/$(LOADER)/deps build/sanitized/$(LOADER)/deps
	cd build/sanitized/$(LOADER) && $(NODE_TOOLS) $(NODE_HEADERS) JOBS=$(shell nproc) CC=gcc LINK=gcc \
	  node-gyp rebuild -C native -- -Dsanitize=1 >$(CURDIR)/build/sanitized.log 2>&1 || { cat $(CURDIR)/build/sanitized.log; exit 1; }

# The Nodes that the suite has to pass on.
$(NODES)/node_modules/.package-lock.json: $(NODES)/package.json $(NODES)/package-lock.json
	cd $(NODES) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

build/ts.ok: $(shell find bpf src workers lab bench test $(LOADER)/src $(LOADER)/fuzz $(LOADER)/test $(LOADER)/examples -name '*.ts') tsconfig*.json | node_modules/.package-lock.json
	$(NODE_TOOLS) tsc -b
	@chmod +x dist/src/cli/main.js
	@touch $@

prebuild: $(ADDON) ## the addon, with libbpf inside; ARCH=arm64 takes Debian's cross compiler

build: $(BPF_OBJECTS) $(ADDON) build/ts.ok ## programs, addon, TypeScript

test: build ## what each commit has to pass, fast ones first: ten minutes
	TESTS=commit $(NODE_TOOLS) vitest run

test-full: build $(SANITIZED) $(NODES)/node_modules/.package-lock.json ## every test but those of vm-test: twice as long
	$(NODE_TOOLS) vitest run

vm-test: build ## in guests with Linux 6.1, 6.12 and 7.x: the kernel's tests (KERNELS=6.1,7 takes some), and the daemon under faults and migrations
	@rc=0; node dist/test/vm/matrix/main.js $(if $(KERNELS),--kernels $(KERNELS)) || rc=1; \
	VM_TEST=full $(NODE_TOOLS) vitest run --project vm agent debian doctor filter pacing taps migration || rc=1; exit $$rc

test-unit: build ## tests that need no privileges
	$(NODE_TOOLS) vitest run --project unit

test-sanitizers: build $(SANITIZED) ## the loader's suite over an addon with AddressSanitizer and UndefinedBehaviorSanitizer
	$(NODE_TOOLS) vitest run --project release sanitizers

BPF2TS := node packages/bpf-loader-ts/dist/bpf2ts/main.js

# Of the TypeScript only the loader's: the rest may be written for bindings that are not there yet.
bindings: $(BPF_OBJECTS) $(ADDON) $(EXAMPLES) ## *.bpf.ts of bpf/ and the loader's examples, anew from the compiled programs
	$(NODE_TOOLS) tsc -b $(LOADER)
	@for o in $(BPF_OBJECTS) $(EXAMPLES); do $(BPF2TS) $$o || exit 1; done

docs: node_modules/.package-lock.json ## the loader's API reference, anew from its docstrings
	cd $(LOADER) && $(NODE_TOOLS) typedoc

check: build $(EXAMPLES) ## format, lint, types; bindings that are those of the programs, a reference that is that of the loader
	$(NODE_TOOLS) biome check .
	$(NODE_TOOLS) tsc -b
	@for o in $(BPF_OBJECTS) $(EXAMPLES); do $(BPF2TS) --check $$o || exit 1; done
	@cd $(LOADER) && $(NODE_TOOLS) typedoc --logLevel Warn --out $(CURDIR)/build/api
	@diff -r $(LOADER)/docs/api build/api || { echo "$(LOADER)/docs/api is stale: run make docs"; exit 1; }

format: deps ## rewrite files as `check` wants them
	$(NODE_TOOLS) biome check --write .

FUZZ_SECONDS := 600
fuzz: build ## damaged objects and types, for FUZZ_SECONDS; what does harm is kept in build/fuzz
	@mkdir -p build/fuzz
	node dist/packages/bpf-loader-ts/fuzz/main.js --seconds $(FUZZ_SECONDS) --seed $$RANDOM$$RANDOM --keep build/fuzz $(BPF_OBJECTS)

demo: build ## build an instance in namespaces, break it in every way, print what it cost
	dist/src/cli/main.js demo --devices veth
	dist/src/cli/main.js demo --devices tap

bench: build ## measure, resumable; table on the terminal, bench/results/latest.json; ARGS='--only h,i --long', ARGS='--only a,c,e,f --against TREE'
	node dist/bench/main.js $(ARGS)

bench-vm: build ## peers in the same guest, resumable; docs/peers.md and bench/results/vm.json; ARGS='--n 3 --primary e1000e'
	node dist/bench/vm/main.js $(ARGS)

clean: ## what was built
	rm -rf dist build bpf/*.o $(LOADER)/examples/*.o $(LOADER)/dist $(LOADER)/native/build $(LOADER)/prebuilds

distclean: clean ## and what was installed into the tree
	rm -rf node_modules $(NODES)/node_modules $(LOADER)/deps
