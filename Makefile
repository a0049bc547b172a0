# The front door. `make help` lists what there is; CMakeLists.txt is the house.
BUILD ?= build
PREFIX ?= /usr/local
TYPE ?= RelWithDebInfo
JOBS ?= $(shell nproc)
T ?= .
CLANG_FORMAT ?= clang-format-19
CLANG_TIDY ?= clang-tidy-19
PROGRAMS = bpf/all policies/all tools/all man/all tests/workloads/all
OURS = git ls-files '*.cpp' '*.h' '*.bpf.c'

.PHONY: all help deps configure build-tests kernel demo test test-unit test-cli test-vm test-mcp check format tidy \
        test-matrix sanitize coverage bench bench-fidelity bench-policies bench-policies-report bench-search bench-scale \
        crash mutants soak fuzz install deb clean

all: configure  ## Build every program into build/bin, usable from there
	@cmake --build $(BUILD) -j $(JOBS) --target $(PROGRAMS)

help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps:  ## Install what is missing (Debian 12 and 13); print the list elsewhere
	@scripts/deps.sh

configure:
	@[ -f $(BUILD)/build.ninja ] || cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=$(TYPE) \
	  -DCMAKE_INSTALL_PREFIX=$(PREFIX) $(CMAKE_OPTIONS)

build-tests: configure
	@cmake --build $(BUILD) -j $(JOBS)

kernel: all  ## Fetch the guest kernel, once; afterwards everything works offline
	@$(BUILD)/bin/schedcp-vm kernel list | grep -q . || $(BUILD)/bin/schedcp-vm kernel fetch

demo: deps kernel  ## The whole story, on this machine, in some minutes
	@demo/demo.sh $(BUILD)

test: deps kernel build-tests  ## All tests
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS) -R '$(T)'

test-unit: build-tests  ## Unit tests only: under a minute
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS) -L unit -R '$(T)'

test-cli: build-tests  ## Contracts of the programs: bad input, formats, exit codes
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS) -L cli -R '$(T)'

test-vm: kernel build-tests  ## The programs inside a kernel with sched_ext
	@ctest --test-dir $(BUILD) --output-on-failure -L vm -R '$(T)'

test-mcp: kernel build-tests  ## Official MCP client and jose against our programs
	@ctest --test-dir $(BUILD) --output-on-failure -L mcp -R '$(T)'

test-matrix: deps kernel  ## Every policy on kernel 6.12, too, which is made first, at 1 to 8 CPUs: an hour
	@scripts/deps.sh flex bison bc dwarves
	@tests/matrix.sh $(BUILD)

check: tidy  ## Format and lint
	@$(OURS) | xargs $(CLANG_FORMAT) --dry-run -Werror

format:  ## Format everything
	@$(OURS) | xargs $(CLANG_FORMAT) -i

tidy: build-tests
	@git ls-files '*.cpp' | grep -v '^tests/' | xargs -P $(JOBS) -n 4 $(CLANG_TIDY) -p $(BUILD) --quiet \
	  --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-ignored-gch 2>/dev/null

sanitize: deps  ## Unit tests under AddressSanitizer and UBSan
	@$(MAKE) BUILD=$(BUILD)-sanitize TYPE=Debug CMAKE_OPTIONS=-DSCHEDCP_SANITIZE=ON test-unit

coverage: deps  ## Lines that the unit tests reach, of what stands between an object and us
	@tests/coverage.sh $(BUILD)-coverage

bench: deps kernel  ## Measure ourselves; prints, and writes bench/*.json
	@bench/run.sh $(BUILD)

bench-search: deps configure  ## How good the search is: tests/data/search, with parts left out
	@cmake --build $(BUILD) -j $(JOBS) --target search-quality
	@$(BUILD)/bench/search-quality policies tests/data/search/queries.json tests/data/search/profiles.json

bench-scale: deps configure  ## How quick it is: 10,000 policies, a million vectors; 4 GiB, ten quiet minutes
	@cmake --build $(BUILD) -j $(JOBS) --target search-scale
	@nice -n 10 $(BUILD)/bench/search-scale policies > bench/search.jsonl
	@nice -n 10 $(BUILD)/bench/search-scale vectors >> bench/search.jsonl
	@cat bench/search.jsonl

crash: build-tests  ## A hundred times: eight processes record at once, one of them is killed
	@SCHEDCP_CRASH_ROUNDS=$(or $(N),100) $(BUILD)/tests/schedcp-cli-tests --test-case='repository:*' --success=false

mutants: deps kernel  ## Break the policies in systematic ways: what notices? Hours; goes on where it was
	@cmake --build $(BUILD) -j $(JOBS) --target schedcp-mutants
	@$(BUILD)/tests/schedcp-mutants --results bench/mutation.jsonl --report bench/mutation.json

bench-fidelity: deps kernel  ## Compare the simulator with the microVM: 12 quiet minutes
	@cmake --build $(BUILD) -j $(JOBS) --target fidelity
	@bench/fidelity.sh $(BUILD)

bench-policies: deps kernel  ## Every policy on every workload (OPTIONS=...): hours; goes on where it was
	@cmake --build $(BUILD) -j $(JOBS) --target schedcp-bench-policies
	@$(BUILD)/bench/schedcp-bench-policies --directory bench --data $(BUILD)/suite --readme README.md $(OPTIONS)

bench-policies-report: configure  ## Its tables and picture anew, from what was measured: seconds
	@cmake --build $(BUILD) -j $(JOBS) --target schedcp-bench-policies
	@$(BUILD)/bench/schedcp-bench-policies --directory bench --readme README.md report

soak: deps kernel  ## N deployments under load in guests (N=100), added to bench/soak.jsonl
	@bench/soak.sh $(BUILD) $(or $(N),100) $(ACCEL)

fuzz: deps kernel  ## Every fuzzer for SECONDS (60) of time, under both sanitizers
	@[ -f $(BUILD)-fuzz/build.ninja ] || CC=clang-19 CXX=clang++-19 cmake -S . -B $(BUILD)-fuzz -G Ninja \
	  -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSCHEDCP_FUZZ=ON
	@cmake --build $(BUILD)-fuzz -j $(JOBS) --target fuzz-object fuzz-check fuzz-interp
	@tests/fuzz/run.sh $(BUILD)-fuzz $(or $(SECONDS),60)

install: all  ## Install under PREFIX (DESTDIR is honoured)
	@cmake --install $(BUILD) --prefix $(PREFIX)

deb: all  ## A Debian package
	@cd $(BUILD) && cpack -G DEB

clean:  ## Remove the build
	@rm -rf $(BUILD) $(BUILD)-sanitize $(BUILD)-fuzz $(BUILD)-coverage
