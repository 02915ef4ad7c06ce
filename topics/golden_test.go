package topics_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"heartwire/topics"
)

var update = flag.Bool("update", false, "write the golden bytes of the newest schemas anew")

// A golden file holds, for one version of one schema, a value of each kind of
// record with every field set: a line of JSON that says what it is, and a line
// of the bytes, in hex. What a released schema has written is in the log for a
// year, so the files of old versions stay, and stay readable.

func TestGoldenBytes(t *testing.T) {
	seen := map[string]bool{}
	for _, topic := range topics.All() {
		if seen[topic.Header()] {
			continue // the changelogs share one
		}
		seen[topic.Header()] = true
		empty, err := topic.Decode(nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(topic.Header(), func(t *testing.T) { golden(t, topic.About().Schema, empty) })
	}
	// What patches send is as old as the oldest patch.
	for _, empty := range []proto.Message{&topics.PatchFrame{}, &topics.PatchVitals{}, &topics.PatchStatus{}} {
		t.Run(string(empty.ProtoReflect().Descriptor().Name()), func(t *testing.T) { golden(t, 1, empty) })
	}
}

func goldenPath(name string, schema int) string {
	return filepath.Join("testdata", fmt.Sprintf("%s.%d.golden", strings.ToLower(name), schema))
}

func golden(t *testing.T, schema int, empty proto.Message) {
	name := string(empty.ProtoReflect().Descriptor().Name())
	values := full(empty)
	var want bytes.Buffer
	for _, v := range values {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		line, err := protojson.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Compact(&want, line); err != nil { // protojson spaces its output at random
			t.Fatal(err)
		}
		fmt.Fprintf(&want, "\n%s\n", hex.EncodeToString(b))
	}
	path := goldenPath(name, schema)
	if *update {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: write it by go test ./topics -update", err)
	}
	if !bytes.Equal(have, want.Bytes()) {
		t.Errorf("%s is not what schema %d writes now. A field may be added, never renumbered: raise Schema of its topic and run go test ./topics -update; "+
			"before its first release the file itself may change", path, schema)
	}
	for version := 1; version <= schema; version++ {
		readable(t, empty, goldenPath(name, version))
	}
}

// readable decodes the bytes of a golden file and wants the values that its JSON tells.
func readable(t *testing.T, empty proto.Message, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) == 0 || len(lines)%2 != 0 {
		t.Errorf("%s has %d lines, want pairs", path, len(lines))
		return
	}
	for i := 0; i < len(lines); i += 2 {
		raw, err := hex.DecodeString(lines[i+1])
		if err != nil {
			t.Errorf("%s:%d: %v", path, i+2, err)
			continue
		}
		got, want := empty.ProtoReflect().New().Interface(), empty.ProtoReflect().New().Interface()
		if err := proto.Unmarshal(raw, got); err != nil {
			t.Errorf("%s:%d: %v", path, i+2, err)
			continue
		}
		if err := protojson.Unmarshal([]byte(lines[i]), want); err != nil {
			t.Errorf("%s:%d: %v", path, i+1, err)
			continue
		}
		if !proto.Equal(got, want) {
			t.Errorf("%s:%d: the bytes read as %v, want %v", path, i+2, got, want)
		}
		if len(got.ProtoReflect().GetUnknown()) > 0 {
			t.Errorf("%s:%d: the schema has forgotten a field", path, i+2)
		}
	}
}

// full gives one value of a message for each kind that its oneof has, all fields set.
func full(empty proto.Message) (values []proto.Message) {
	desc := empty.ProtoReflect().Descriptor()
	if desc.Oneofs().Len() == 0 || desc.Oneofs().Get(0).IsSynthetic() {
		return []proto.Message{fill(empty.ProtoReflect().New(), nil).Interface()}
	}
	kinds := desc.Oneofs().Get(0).Fields()
	for i := range kinds.Len() {
		values = append(values, fill(empty.ProtoReflect().New(), kinds.Get(i)).Interface())
	}
	return values
}

// fill sets every field of m, and of its oneof the given one, to a value made
// from the field's name and number.
func fill(m protoreflect.Message, kind protoreflect.FieldDescriptor) protoreflect.Message {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() && f != kind {
			continue
		}
		if !f.IsList() {
			m.Set(f, value(m.NewField(f), f, 0))
			continue
		}
		l := m.Mutable(f).List()
		for n := range 2 {
			l.Append(value(l.NewElement(), f, n))
		}
	}
	return m
}

func value(empty protoreflect.Value, f protoreflect.FieldDescriptor, n int) protoreflect.Value {
	num := int64(f.Number())*100 + int64(n) + 1
	switch f.Kind() {
	case protoreflect.MessageKind:
		return protoreflect.ValueOfMessage(fill(empty.Message(), nil))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(fmt.Sprintf("%s-%d", f.Name(), n))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0, 0x7f, 0xff, byte(num)})
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(num) + 0.25)
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(values.Len() - 1 - n).Number())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		return protoreflect.ValueOfInt32(-int32(num))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind:
		return protoreflect.ValueOfInt64(1_700_000_000_000_000 + num)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(num))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(1<<40 + uint64(num))
	}
	panic(fmt.Sprintf("the schemas have no field of kind %v until now: say here how one is filled", f.Kind()))
}
