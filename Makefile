# buf, pinned: a newer one is a change of its own.
BUF = go run github.com/bufbuild/buf/cmd/buf@v1.59.0

.PHONY: generate
generate: ## Protobuf code beside its schemas
	$(BUF) lint
	$(BUF) generate
