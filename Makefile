# The two commands of the README are `make demo` and `make test`; `make help`
# lists the others. Everything runs on a fresh Debian machine that has Go: what
# else is needed is installed by scripts/need, which says so where it cannot.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := build

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
TOOL := CGO_ENABLED=0 go tool -modfile=tools/go.mod
# The end-to-end tests start real processes and kill them; they have a target of their own.
E2E := ./internal/e2e/...
FUZZTIME ?= 20s
SOAK ?= 20m
SOAKJOBS ?= 50000

.PHONY: help build demo test lint format vet generate generated unit e2e test-coordinate test-workflows soak fuzz bench cover clean

help: ## This list.
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 18

build: ## The binary, bin/muster.
	@scripts/need go
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/muster ./cmd/muster

demo: build ## Builds muster and runs a batch of real commands with it.
	@scripts/demo

test: ## Everything: lint, generated code, unit tests with the race detector, end to end, Coordinate's client, Snakemake.
	@scripts/need go git cc curl podman
	@scripts/steps lint generated unit e2e test-coordinate test-workflows

lint: ## gofmt, go vet and golangci-lint (built once, from tools/go.mod).
	@scripts/need go
	CGO_ENABLED=0 go vet ./...
	$(TOOL) golangci-lint run

format: ## Lays the Go files out as lint wants them.
	$(TOOL) golangci-lint fmt

generate: ## Writes the generated code anew.
	@scripts/need go
	CGO_ENABLED=0 go generate ./...

generated: ## Fails when the generated code is not what make generate writes.
	@scripts/generated

unit: ## The tests of all packages, with the race detector.
	@scripts/need go cc curl podman
	MUSTER_TESTS_NEED=podman CGO_ENABLED=1 go test -race -timeout 25m $$(go list ./... | grep -v /internal/e2e)

e2e: ## The real binary, its processes killed in the middle of their work.
	@scripts/need go
	CGO_ENABLED=0 go test -count=1 -timeout 15m $(E2E)

test-coordinate: build ## The original Python client of Coordinate: its own tests, command line and workers.
	@scripts/need cc
	@scripts/coordinate-client

test-workflows: build ## A pipeline of Snakemake, set to Slurm and to bsub, on muster.
	@scripts/workflow-engines

soak: ## The end-to-end chaos for as long as SOAK says (20m).
	CGO_ENABLED=0 go test -count=1 -timeout 0 -v -run Chaos $(E2E) -args -chaos=$(SOAK) -jobs=$(SOAKJOBS)

fuzz: ## Every fuzz test for FUZZTIME (20s).
	@scripts/fuzz $(FUZZTIME)

bench: build ## The table of docs/performance.md.
	bin/muster bench

cover: ## How much of the code the tests reach, by package.
	@mkdir -p .cache
	go test -timeout 15m -coverpkg=./... -coverprofile=.cache/cover.out $$(go list ./... | grep -v /internal/e2e) >/dev/null
	@go tool cover -html=.cache/cover.out -o .cache/cover.html
	@go tool cover -func=.cache/cover.out | tail -1; echo "by line: .cache/cover.html"

clean: ## Removes what was built.
	rm -rf bin .cache
