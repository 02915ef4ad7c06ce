package gateway

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write openapi.yaml anew")

// What clients are generated from is what the code does.
func TestOpenAPIIsUpToDate(t *testing.T) {
	now, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.yaml", now, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, now) {
		t.Error("openapi.yaml is not what the code gives: go test ./sinks/gateway -run OpenAPI -update")
	}
	if !bytes.Contains(now, []byte("\nopenapi: 3.1.0\n")) {
		t.Error("it is not OpenAPI 3.1")
	}
}
