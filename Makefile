# What a developer of ciderd runs; make help lists it. Continuous integration: .ci/run.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

GO          ?= go
PREFIX      ?= /usr
DESTDIR     ?=
# The commit behind the number in VERSION.
COMMIT      ?= $(shell git describe --always --abbrev=7 --exclude '*' --dirty=.dirty 2>/dev/null)
FUZZTIME    ?= 20s
# ARGS goes to ciderd (make run), TESTFLAGS to go test (make test TESTFLAGS='-count=1 -run Quote').
ARGS        ?=
TESTFLAGS   ?=
# SHIFT is added to the ports of make cluster.
export SHIFT ?= 0

staticcheck := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
stamp        = -ldflags "-X main.commit=$(COMMIT)"
# With the flags of go run: what one has compiled the others need not. Only what is installed elsewhere is compiled
# apart: without cgo the one file runs on any Linux, whatever its libc.
compile      = $(GO) build $(stamp) -o bin/ciderd ./cmd/ciderd
portable     = CGO_ENABLED=0 $(GO) build -trimpath $(stamp) -o bin/portable/ciderd ./cmd/ciderd
sources     := go.mod go.sum VERSION version.go $(shell find cmd internal -name '*.go' -not -name '*_test.go') $(wildcard internal/web/page/*)
docdir      := /usr/share/doc/ciderd
# $(call tell,FLAGS,WHAT) says why one waits, if the libraries were never compiled with these flags.
tell         = @[ "$$($(GO) list $(1) -f '{{.Stale}}' github.com/hashicorp/raft)" = false ] || echo "compiling $(2) the first time"
# The race detector needs cgo, and with it a C compiler.
RACE        ?= $(shell $(GO) list -race runtime >/dev/null 2>&1 && echo -race)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

.PHONY: run
run: ## a single node on localhost:8080, data in ./ciderd-data
	$(call tell,,ciderd and its libraries takes a minute)
	$(GO) run ./cmd/ciderd $(ARGS)

.PHONY: build
build: ## bin/ciderd
	$(call tell,,ciderd and its libraries takes a minute)
	$(compile)

bin/ciderd: $(sources)
	$(call tell,,ciderd and its libraries takes a minute)
	$(compile)

bin/portable/ciderd: $(sources)
	$(portable)

# The tests in which the race detector is of no use (test/norace) run without it, and all others with it. They wait for
# elections and disks: half as many packages again as there are processors.
apart        = $(shell grep -rl 'norace[.][ABM]' --include='*_test.go' internal)
apart_names  = $(shell awk -F '[^A-Za-z0-9_]+' '/^func Test/ { name = $$2 } /norace[.][ABM]/ && !seen[name]++ { print name }' $(apart) | paste -s -d '|')
gotest       = $(GO) test -timeout 20m -p $$((($$(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2))

.PHONY: test
test: ## all tests but e2e, with the race detector
	@[ -n "$(RACE)" ] || echo "without the race detector: it needs a C compiler, such as gcc"
	$(call tell,$(RACE),all that the tests need takes some minutes more)
	$(if $(RACE),@echo "first the tests that the race detector is of no use to: without it")
	$(if $(RACE),@$(gotest) -run '^($(apart_names))$$' $(TESTFLAGS) $(addprefix ./,$(sort $(dir $(apart)))))
	$(gotest) $(RACE) $(TESTFLAGS) ./...

.PHONY: lint
lint: ## gofmt, go vet, staticcheck, and that it builds for Linux and macOS
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "not as gofmt writes it:"; echo "$$files"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags e2e ./...
	$(staticcheck) ./...
	$(staticcheck) -tags e2e ./...
	cd test/compare && $(GO) vet ./... && $(staticcheck) ./...
	$(GO) run ./test/torture/plants/cmd -compile
	@for target in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do \
		echo "go build for $$target"; \
		CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) build -o /dev/null ./cmd/ciderd || exit 1; \
	done

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (20s)
	@$(GO) test -list '^Fuzz' ./... | awk '/^Fuzz/ { f[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, f[i]; n = 0 }' | \
	while read -r package target; do \
		echo "== $$package $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$package"; \
	done

# One package after the other: the two that run nodes would be in each other's way.
.PHONY: e2e
e2e: ## real processes, real clients: three nodes, killed and restarted
	$(GO) test -tags e2e -p 1 -timeout 30m -count=1 $(TESTFLAGS) ./test/...
	cd test/compare && $(GO) test -timeout 2m -count=1 ./...

.PHONY: alerts
alerts: ## each alert of deploy/prometheus fires by a real fault, and none without (prometheus; root; a quarter of an hour)
	ALERTS=1 $(GO) test -tags e2e -count=1 -v -timeout 1h -run 'Alert|Quicker|Healthy' $(TESTFLAGS) ./test/e2e

.PHONY: cluster
cluster: ## three nodes on this machine, until Ctrl-C; data in ./ciderd-data (SHIFT=1000: on other ports)
	@deploy/cluster-local.sh check
	@$(MAKE) --no-print-directory -s bin/ciderd
	@deploy/cluster-local.sh

.PHONY: install
install: bin/portable/ciderd ## the binary and all that a service needs, under DESTDIR (and PREFIX for the binary)
	install -D -m 0755 bin/portable/ciderd $(DESTDIR)$(PREFIX)/bin/ciderd
	install -d -m 0755 $(DESTDIR)/etc/ciderd $(DESTDIR)/usr/lib/systemd/system
	sed 's|/usr/bin/ciderd|$(PREFIX)/bin/ciderd|' deploy/ciderd.service >$(DESTDIR)/usr/lib/systemd/system/ciderd.service
	chmod 0644 $(DESTDIR)/usr/lib/systemd/system/ciderd.service
	install -D -m 0644 deploy/ciderd.sysusers.conf $(DESTDIR)/usr/lib/sysusers.d/ciderd.conf
	install -D -m 0644 -t $(DESTDIR)$(docdir) deploy/README.md deploy/OPERATIONS.md configs/cluster.hcl
	install -D -m 0644 -t $(DESTDIR)$(docdir)/docs docs/*.md
	$(if $(wildcard docs/performance/*.svg),install -D -m 0644 -t $(DESTDIR)$(docdir)/docs/performance docs/performance/*.svg)
	install -D -m 0644 -t $(DESTDIR)$(docdir)/prometheus deploy/prometheus/*.yml
	install -D -m 0644 -t $(DESTDIR)$(docdir)/grafana deploy/grafana/ciderd.json
	install -D -m 0644 -t $(DESTDIR)$(docdir)/haproxy deploy/haproxy/haproxy.cfg

.PHONY: try-systemd
try-systemd: ## deploy/README.md on three Debian machines (systemd-nspawn; root; some minutes)
	deploy/try-systemd.sh

.PHONY: clean
clean: ## remove bin/
	rm -rf bin

# A long run: make torture MINUTES=60 SEED=7. What else can be said: make torture ARGS=-h. The daemon has
# a wall clock that can be moved (test/overlay); nothing else is different.
MINUTES     ?= 15
SEED        ?=

.PHONY: torture
torture: bin/torture bin/torture-ciderd ## real nodes under real faults, judged (root; MINUTES, SEED, ARGS)
	bin/torture -bin bin/torture-ciderd -minutes $(MINUTES) $(if $(SEED),-seed $(SEED)) $(ARGS)

# A machine that can run none of it is no failure here; the run says so. What is kept is small. Five nodes
# are for the two faults that take them.
brief = bin/torture -bin bin/torture-ciderd -brief -keep-data=false -seed $(or $(SEED),1)

.PHONY: torture-ci
torture-ci: bin/torture bin/torture-ciderd ## every fault once, briefly, then some at once, as .ci/run does (root; MINUTES, SEED)
	$(brief) -minutes $(MINUTES) && $(brief) -nodes 5 -faults partition-ring,partition-halves -rounds 4 || [ $$? = 3 ]

.PHONY: bin/torture
bin/torture:
	$(GO) build -o $@ ./test/torture/cmd

bin/torture-ciderd: $(sources) $(wildcard test/overlay/*.go test/overlay/testdata/*/*.go) | bin/torture
	CGO_ENABLED=0 GOFLAGS="-trimpath '-ldflags=-X main.commit=$(COMMIT)'" bin/torture -build $@

.PHONY: torture-plants
torture-plants: bin/torture ## the planted bugs, each built into the daemon, and what catches it (root; minutes)
	$(GO) build -o bin/torture-plants ./test/torture/plants/cmd
	bin/torture-plants || [ $$? = 3 ]

# make bench BENCH=Apply COUNT=10: which, and how often each. Times are those of this machine and this hour: what is
# allocated is the same everywhere.
BENCH       ?= Get|Set|SetOverwrite|ReadAndParse|ReadAndLookup|AppendValue|Reply|Encode|ApplySets|Coldest|Evict|StoreFreeze|Snapshot|Restore|StoreLogs?
COUNT       ?= 6
BENCHTIME   ?= 0.2s
RECORD      ?=
benched      = $(addprefix ./internal/,protocol/text protocol/resp cache fsm storage/journal storage cluster server)
stored      := test/bench/stored.txt
benchstat   := $(GO) run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

.PHONY: bench
bench: ## Go benchmarks of the hot paths beside a stored run (BENCH, COUNT, BENCHTIME; RECORD=1 stores this one): no verdict
	$(call tell,,all that the benchmarks need takes a minute or two)
	@mkdir -p bin
	@{ echo "date: $$(date -u +%F)"; echo "commit: $(COMMIT)"; echo "machine: $$(getconf _NPROCESSORS_ONLN) processors, $$(uname -sr)"; } >bin/bench.txt
	$(GO) test -p 1 -run '^$$' -short -bench '^Benchmark($(BENCH))$$' -benchmem -count $(COUNT) -benchtime $(BENCHTIME) -timeout 30m $(benched) | tee -a bin/bench.txt
	$(benchstat) -table pkg -ignore date,commit,machine,cpu,goos,goarch stored=$(stored) now=bin/bench.txt
	$(if $(RECORD),cp bin/bench.txt $(stored))

# One of them alone: make measure WHAT=Timeouts. What each takes from the environment is told beside it, in
# test/measure.
WHAT        ?=

.PHONY: measure
measure: ## failover (KILLS), rolling restart (ROUNDS), sizing (DATA, OVER), catching up (VALUES), Raft's timeouts (TIMEOUTS, ELECTION_SECS, KILLS), a limit on memory (LIMITS, CASES, FILL), hit ratios (TRACES), TLS, clients, neighbours, large keyspaces (KEYS): figures, no verdict (WHAT)
	MEASURE=1 $(GO) test -tags e2e -count=1 -v -timeout 1h -run 'TestMeasure$(WHAT)' ./test/measure

# Servers that are not installed are left out: redis-server, memcached, etcd-server (Debian's packages). What it has found
# is written to docs/performance/*.json, and from there to docs/performance.md and its charts. The binary is built in any case, so that its version is the
# commit's.
.PHONY: compare
compare: build bin/compare ## ciderd beside Redis, memcached and etcd, for docs/performance.md: 8 minutes (SECS, ROUNDS, KILLS, KEYS)
	cd test/compare && ../../bin/compare

.PHONY: growth
growth: build bin/compare ## what a command costs with more connections, keys, bytes and nodes, for docs/performance.md: 6 minutes (SECS, ROUNDS, KEYS)
	cd test/compare && ../../bin/compare -growth

# The table and the charts anew, from results that are there.
.PHONY: redraw
redraw: bin/compare
	cd test/compare && ../../bin/compare -draw

.PHONY: bin/compare
bin/compare:
	cd test/compare && $(GO) build -o ../../bin/compare .
