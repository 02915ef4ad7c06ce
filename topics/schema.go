package topics

import (
	"embed"
	"fmt"
)

//go:embed *.proto
var protos embed.FS

// Schema is the text of the .proto file that defines a topic's records.
func Schema(t Any) (string, error) {
	v, err := t.Decode(nil)
	if err != nil {
		return "", err
	}
	path := v.ProtoReflect().Descriptor().ParentFile().Path()
	b, err := protos.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("schema of %s: %w", t.About().Name, err)
	}
	return string(b), nil
}
