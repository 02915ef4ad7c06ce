package main

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// A leaf is one value in a state, by its path: live.filter[2].gain. A list of
// plain values is one leaf.
type leaf struct {
	path string
	full string
	list []string // the elements of a list
}

// most is how many elements of a list people are shown.
const most = 8

// short is the value for people: a long list is cut, with its length.
func (l leaf) short() string {
	if len(l.list) > most {
		return fmt.Sprintf("[%s …] %d in all", strings.Join(l.list[:most], " "), len(l.list))
	}
	return l.full
}

// apart are two values of one path as people can tell them apart: long lists
// from where they begin to differ.
func apart(a, b leaf) (from, to string) {
	if len(a.list) <= most && len(b.list) <= most {
		return a.full, b.full
	}
	i := 0
	for i < min(len(a.list), len(b.list)) && a.list[i] == b.list[i] {
		i++
	}
	cut := func(l leaf) string {
		end := min(i+most, len(l.list))
		return fmt.Sprintf("[%d:] %s, %d in all", i, strings.Join(l.list[i:end], " "), len(l.list))
	}
	return cut(a), cut(b)
}

// leaves are the values of a state, which is a pointer to a struct, in the order
// in which its fields are written down; unexported ones too. They are for
// looking at: nothing is changed.
func leaves(state any) (out []leaf) {
	if state == nil {
		return nil
	}
	descend("", readable(reflect.ValueOf(state)), &out)
	return out
}

// A number between these, September 2001 and 2096, is µs since 1970.
const microsFrom, microsUntil = 1e15, 4e15

// readable lifts the seal on unexported fields.
func readable(v reflect.Value) reflect.Value {
	if v.CanAddr() && !v.CanInterface() {
		return reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem()
	}
	return v
}

func descend(path string, v reflect.Value, out *[]leaf) {
	if text, ok := plain(v); ok {
		if v.Kind() == reflect.Int64 && text == strconv.FormatInt(v.Int(), 10) && v.Int() > microsFrom && v.Int() < microsUntil {
			text += " (" + topics.MicroTime(v.Int()).Format("2006-01-02T15:04:05.000Z") + ")"
		}
		*out = append(*out, leaf{path: path, full: text})
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		descend(path, readable(v.Elem()), out)
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if path != "" {
				name = path + "." + name
			}
			descend(name, readable(v.Field(i)), out)
		}
	case reflect.Slice, reflect.Array:
		descendList(path, v, out)
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		for _, k := range keys {
			copied := reflect.New(v.Type().Elem()).Elem()
			copied.Set(v.MapIndex(k))
			descend(fmt.Sprintf("%s[%v]", path, k), copied, out)
		}
	default:
		*out = append(*out, leaf{path: path, full: "(" + v.Type().String() + ")"})
	}
}

func descendList(path string, v reflect.Value, out *[]leaf) {
	var list []string
	for i := range v.Len() {
		text, ok := plain(readable(v.Index(i)))
		if !ok {
			for i := range v.Len() {
				descend(fmt.Sprintf("%s[%d]", path, i), readable(v.Index(i)), out)
			}
			return
		}
		list = append(list, text)
	}
	*out = append(*out, leaf{path: path, full: "[" + strings.Join(list, " ") + "]", list: list})
}

// plain is the text of a value that is one: a number, a text, a time, an
// enumeration's name, a message.
func plain(v reflect.Value) (string, bool) {
	switch v.Kind() {
	case reflect.Invalid:
		return "none", true
	case reflect.Pointer, reflect.Interface, reflect.Map:
		if v.IsNil() {
			return "none", true
		}
	}
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case proto.Message:
			return protojson.MarshalOptions{}.Format(x), true
		case time.Time:
			return x.UTC().Format(time.RFC3339Nano), true
		case fmt.Stringer:
			if v.Kind() != reflect.Struct && v.Kind() != reflect.Pointer {
				return x.String(), true
			}
		case encoding.TextMarshaler:
			if b, err := x.MarshalText(); err == nil {
				return string(b), true
			}
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.FormatUint(v.Uint(), 10), true
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64), true
	case reflect.Complex64, reflect.Complex128:
		return fmt.Sprint(v.Complex()), true
	case reflect.String:
		return strconv.Quote(v.String()), true
	}
	return "", false
}

// jsonOf is a state as what encoding/json prints, unexported fields too.
func jsonOf(state any) any {
	if state == nil {
		return nil
	}
	return jsonValue(readable(reflect.ValueOf(state)))
}

func jsonValue(v reflect.Value) any {
	text, ok := plain(v)
	switch v.Kind() {
	case reflect.Invalid:
		return nil
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		if m, isMessage := v.Interface().(proto.Message); isMessage {
			if b, err := protojson.Marshal(m); err == nil {
				return rawJSON(b)
			}
		}
		return jsonValue(readable(v.Elem()))
	case reflect.Slice, reflect.Array:
		list := []any{}
		for i := range v.Len() {
			list = append(list, jsonValue(readable(v.Index(i))))
		}
		return list
	case reflect.Struct:
		if ok {
			return text
		}
		fields := map[string]any{}
		for i := range v.NumField() {
			fields[v.Type().Field(i).Name] = jsonValue(readable(v.Field(i)))
		}
		return fields
	case reflect.Map:
		fields := map[string]any{}
		for _, k := range v.MapKeys() {
			copied := reflect.New(v.Type().Elem()).Elem()
			copied.Set(v.MapIndex(k))
			fields[fmt.Sprint(k)] = jsonValue(copied)
		}
		return fields
	case reflect.Bool:
		return v.Bool()
	case reflect.String:
		return v.String()
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil && text != "NaN" && !strings.HasSuffix(text, "Inf") {
		return rawJSON(text)
	}
	return text
}
