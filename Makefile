SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PAGE = sinks/gateway/page
# buf, pinned: a newer one is a change of its own.
BUF = go run github.com/bufbuild/buf/cmd/buf@v1.59.0
# Our Go files: not those of the page's packages.
GO_DIRS = $(wildcard cmd pipeline sinks stages test topics)
gofiles = find $(GO_DIRS) -name node_modules -prune -o -name '*.go' -print
# Fails with the difference when what was made is not what is committed.
unchanged = git diff --exit-code HEAD -- $(1) && new=$$(git ls-files --others --exclude-standard -- $(1)) && \
	if [ -n "$$new" ]; then echo "made, but not committed: $$new"; exit 1; fi

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## all of Heartwire in one process, with eight synthetic patients
	go run ./cmd/heartwire up

.PHONY: build
build: ## the static binary ./heartwire
	CGO_ENABLED=0 go build -trimpath -o heartwire ./cmd/heartwire

.PHONY: fmt
fmt: ## format the Go code
	$(gofiles) | xargs gofmt -w

.PHONY: lint
lint: ## is it formatted, and does go vet find nothing?
	@unformatted=$$($(gofiles) | xargs gofmt -l); if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi
	CGO_ENABLED=0 go vet ./...
	CGO_ENABLED=0 go vet -tags real ./...

.PHONY: test
test: lint ## what needs Go alone: unit, scenario, conformance, arch, fuzz seeds, end to end in one process
	CGO_ENABLED=0 go test -timeout 5m ./...

# One package at a time: brokers and browsers on two cores would else keep
# each other from what is timed. HEARTWIRE_WITHOUT=data,chromium leaves pieces
# out; what did not run is said last.
comma = ,
without = $(filter $(1),$(subst $(comma), ,$(HEARTWIRE_WITHOUT)))
.PHONY: test-real
test-real: $(if $(call without,page),,page-test) ## all tests again with the race detector, on real Kafka, mosquitto, Chromium and recordings
	@list=$$(mktemp); trap 'cat "$$list"; rm -f "$$list"' EXIT; \
	export HEARTWIRE_NOT_RUN="$$list"; \
	$(foreach piece,page race,$(if $(call without,$(piece)),echo "NOT RUN: $(piece) (HEARTWIRE_WITHOUT names it)" >>"$$list";)) \
	go test $(if $(call without,race),,-race) -tags real -count=1 -p 1 -timeout 25m $$(go list -tags real ./... | grep -v '/test/clinical$$'); \
	CGO_ENABLED=0 go test -tags real -count=1 -timeout 10m ./test/clinical

# It folds 150 hours of ECG: too much for the race detector, which sees the same
# stages at work everywhere else.
.PHONY: clinical
clinical: ## report/report.md: what is found in public recordings, by EC57, with the ten worst misses drawn
	HEARTWIRE_REPORT=$(CURDIR)/report CGO_ENABLED=0 go test -tags real -count=1 -timeout 10m -v -run 'TestFloors|TestAlarmsOnRecordings|TestReport' ./test/clinical

.PHONY: chaos
chaos: ## what Heartwire must survive, on three brokers, each time with other luck: half an hour; HEARTWIRE_CHAOS_SEED=n again with that of a run
	HEARTWIRE_CHAOS=full go test -tags real -count=1 -v -p 1 -timeout 60m -run 'TestFaults|TestTimersSurviveAKill|TestWatch' ./test/e2e ./test/chaos

.PHONY: bench
bench: ## 1,000 emulated patches on one real broker: CPU, latency, memory; HEARTWIRE_BENCH_ARGS='--patients 100'
	go test -tags real -run '^$$' -bench Cluster -benchtime 1x -timeout 60m ./test/bench

.PHONY: bench-stage
bench-stage: ## the engine on one real broker, and Kafka Streams beside it; needs a JDK; HEARTWIRE_BENCH_ARGS='--only windows'
	go test -tags real -run '^$$' -bench Stage -benchtime 1x -timeout 90m ./test/bench

.PHONY: bench-gateway
bench-gateway: build ## what showing patients to 1,000 clients costs, and the centrifuge library beside it
	for watchers in 40 4 1; do ./heartwire bench gateway --watchers $$watchers && (cd test/bench/centrifuge && go run . --watchers $$watchers); done

.PHONY: generate
generate: $(PAGE)/node_modules ## code from the Protobuf schemas, for Go and for the page
	$(BUF) lint
	$(BUF) generate
	cd $(PAGE) && npm run --silent generate

.PHONY: generate-check
generate-check: generate ## is the generated code that is committed what the schemas give?
	@$(call unchanged,$(addsuffix /*.pb.go,topics sinks/gateway) $(PAGE)/src/gen)

.PHONY: page
page: $(PAGE)/node_modules ## build the page into the files that the binary embeds
	cd $(PAGE) && npm run --silent build

.PHONY: page-check
page-check: page ## do its types hold, and is the built page that is committed what the sources build?
	cd $(PAGE) && npm run --silent check
	@$(call unchanged,$(PAGE)/dist)

.PHONY: page-test
page-test: $(PAGE)/node_modules ## the page's own tests, which need no browser
	cd $(PAGE) && npm run --silent check && npm test --silent

# The page's tools, exactly as its lock file names them.
$(PAGE)/node_modules: $(PAGE)/package-lock.json
	cd $(PAGE) && npm ci --no-audit --no-fund
	@touch $@
