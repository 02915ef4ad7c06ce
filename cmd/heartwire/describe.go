package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"heartwire/topics"
)

// describe is a message on one line: the kind it is of, then its fields as
// name=value; what is at its zero is left out. Times are UTC, long lists are counted.
func describe(m proto.Message) string {
	var b strings.Builder
	fields(&b, m.ProtoReflect(), true)
	return strings.TrimSpace(b.String())
}

func fields(b *strings.Builder, m protoreflect.Message, top bool) {
	list := m.Descriptor().Fields()
	for i := range list.Len() {
		f := list.Get(i)
		if !m.Has(f) || (top && f.Name() == "patient") {
			continue
		}
		v := m.Get(f)
		switch {
		case f.IsList():
			fmt.Fprintf(b, " %s=%s", f.Name(), listText(f, v.List()))
		case f.Message() != nil && f.ContainingOneof() != nil:
			fmt.Fprintf(b, " %s", f.Name())
			fields(b, v.Message(), false)
		case f.Message() != nil:
			fmt.Fprintf(b, " %s=%s", f.Name(), nested(v.Message()))
		default:
			fmt.Fprintf(b, " %s=%s", f.Name(), scalar(f, v))
		}
	}
}

func nested(m protoreflect.Message) string {
	var b strings.Builder
	fields(&b, m, false)
	return "{" + strings.TrimSpace(b.String()) + "}"
}

// listText prints few short things, and counts many.
func listText(f protoreflect.FieldDescriptor, l protoreflect.List) string {
	if l.Len() > 12 {
		return fmt.Sprintf("[%d values]", l.Len())
	}
	var parts []string
	for i := range l.Len() {
		if f.Message() != nil {
			parts = append(parts, nested(l.Get(i).Message()))
		} else {
			parts = append(parts, scalar(f, l.Get(i)))
		}
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func scalar(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch f.Kind() {
	case protoreflect.EnumKind:
		if e := f.Enum().Values().ByNumber(v.Enum()); e != nil {
			// BEAT_CLASS_N is N to a reader of a beat.
			return strings.TrimPrefix(string(e.Name()), enumPrefix(f.Enum()))
		}
		return strconv.Itoa(int(v.Enum()))
	case protoreflect.BytesKind:
		return fmt.Sprintf("(%d bytes)", len(v.Bytes()))
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return strconv.FormatFloat(v.Float(), 'g', 6, 64)
	case protoreflect.StringKind:
		if s := v.String(); s == "" || strings.ContainsAny(s, " \t\n\"={}[]") {
			return strconv.Quote(s)
		}
	}
	if n := string(f.Name()); strings.HasSuffix(n, "_us") && n != "elapsed_us" && n != "duration_us" && n != "frame_us" && n != "clock_offset_us" {
		return topics.MicroTime(v.Int()).Format("2006-01-02T15:04:05.000Z")
	}
	return v.String()
}

func enumPrefix(e protoreflect.EnumDescriptor) string {
	var b strings.Builder
	for i, r := range string(e.Name()) {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String()) + "_"
}

func topicList() []string {
	var names []string
	for _, t := range topics.All() {
		names = append(names, t.About().Name)
	}
	return names
}

func topicNames(sep string) string { return strings.Join(topicList(), sep) }

// hexDump is bytes as people look at them, at most 1 KiB.
func hexDump(b []byte) string { return hex.Dump(b[:min(len(b), 1024)]) }

type rawJSON = json.RawMessage

func jsonLine(v any) ([]byte, error) { return json.Marshal(v) }

// quiet is for commands whose output is their result.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
