package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/pflag"
)

// A shortcut is a flag that stands for one setting: --patients 20 is
// --set simulate.patients=20.
type shortcut struct {
	flag    string
	setting string
	help    string // the word in backquotes names the value
}

// addShortcuts adds flags to a command, with the settings' defaults.
func addShortcuts(f *pflag.FlagSet, list []shortcut) {
	l := &loaded{Config: defaultConfig()}
	leaves := l.leaves()
	for _, s := range list {
		leaf, ok := leaves[s.setting]
		if !ok {
			panic(fmt.Sprintf("flag --%s stands for %s, which is no setting", s.flag, s.setting))
		}
		f.Var(&shortcutValue{leaf: leaf}, s.flag, s.help)
		if leaf.Kind() == reflect.Bool {
			f.Lookup(s.flag).NoOptDefVal = "true"
		}
	}
}

// given are the settings that flags have set, as --set takes them.
func given(f *pflag.FlagSet, list []shortcut) (sets []string) {
	for _, s := range list {
		if fl := f.Lookup(s.flag); fl.Changed {
			sets = append(sets, s.setting+"="+fl.Value.(*shortcutValue).text())
		}
	}
	return sets
}

// shortcutValue keeps what was typed; the setting's own rules read it.
type shortcutValue struct {
	leaf  reflect.Value // the default
	typed []string
}

func (v *shortcutValue) Set(s string) error {
	if v.leaf.Kind() != reflect.Slice {
		v.typed = nil
	}
	v.typed = append(v.typed, s)
	return nil
}

func (v *shortcutValue) text() string {
	if v.leaf.Kind() != reflect.Slice {
		return v.typed[0]
	}
	// As a YAML list in double quotes, whatever a script or a path holds.
	quoted := make([]string, len(v.typed))
	for i, s := range v.typed {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// String is the default, for the help.
func (v *shortcutValue) String() string {
	if v == nil || !v.leaf.IsValid() || v.leaf.IsZero() || v.leaf.Kind() == reflect.Slice {
		return ""
	}
	return fmt.Sprint(v.leaf.Interface())
}

func (v *shortcutValue) Type() string {
	switch {
	case v.leaf.Kind() == reflect.Bool:
		return "bool"
	case v.leaf.Type().String() == "time.Duration":
		return "duration"
	case v.leaf.Kind() == reflect.String || v.leaf.Kind() == reflect.Slice:
		return "string"
	}
	return "number"
}
