package wfdb_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// Words of the format by hand: code<<10 + value, low byte first.
const (
	normal18   = "\x12\x04"                 // N after 18 samples
	pvc1       = "\x01\x14"                 // V after 1
	skip70000  = "\x00\xec\x01\x00\x70\x11" // 70000 = 1<<16 + 0x1170
	skipMinus1 = "\x00\xec\xff\xff\xff\xff"
	num3       = "\x03\xf0"
	subMinus1  = "\xff\xf7"
	chan2      = "\x02\xf8"
	end        = "\x00\x00"
)

func TestAnnotationsBytes(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		want        []wfdb.Annotation
	}{
		{"none", end, nil},
		{"two beats", normal18 + pvc1 + end, []wfdb.Annotation{{Sample: 18, Code: wfdb.Normal}, {Sample: 19, Code: wfdb.PVC}}},
		{"a skip is added to the next", skip70000 + "\x00\x04" + pvc1 + end, []wfdb.Annotation{{Sample: 70000, Code: wfdb.Normal}, {Sample: 70001, Code: wfdb.PVC}}},
		{"subtype holds once, channel and number from then on", "\x05\x38" + subMinus1 + chan2 + num3 + pvc1 + end, []wfdb.Annotation{
			{Sample: 5, Code: wfdb.Noise, Subtype: -1, Chan: 2, Num: 3}, {Sample: 6, Code: wfdb.PVC, Chan: 2, Num: 3}}},
		{"text, even and odd", "\x00\x70" + "\x02\xfc(N" + "\x00\x58" + "\x01\xfcx\x00" + end, []wfdb.Annotation{
			{Code: wfdb.Rhythm, Aux: "(N"}, {Code: wfdb.Note, Aux: "x"}}},
		{"text with a zero byte of its own", "\x00\x70" + "\x03\xfc(N\x00\x00" + end, []wfdb.Annotation{{Code: wfdb.Rhythm, Aux: "(N"}}},
		{"a place without a code", normal18 + skipMinus1 + "\x01\x00" + pvc1 + end, []wfdb.Annotation{
			{Sample: 18, Code: wfdb.Normal}, {Sample: 18, Code: wfdb.NotQRS}, {Sample: 19, Code: wfdb.PVC}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := wfdb.ParseAnnotations([]byte(c.bytes))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got, cmpopts.IgnoreUnexported(wfdb.Annotation{})); d != "" {
				t.Error(d)
			}
			if back, err := wfdb.AppendAnnotations(nil, got); err != nil || string(back) != c.bytes {
				t.Errorf("written back as %q (%v), was %q", back, err, c.bytes)
			}
		})
	}
}

func TestParseAnnotationsRefuses(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		whole       int
		want        string
	}{
		{"nothing", "", 0, "cut off at byte 0"},
		{"no end", normal18, 1, "cut off at byte 2"},
		{"half a word", normal18 + "\x01", 1, "cut off at byte 2"},
		{"half a skip", normal18 + "\x00\xec\x01", 1, "cut off at byte 4"},
		{"half a text", normal18 + "\x09\xfcabc", 1, "cut off at byte 4"},
		{"an unknown code", normal18 + "\x00\xc8" + end, 1, "a code of 50"},
		{"a sign before any annotation", chan2 + normal18 + end, 0, "MIT format"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := wfdb.ParseAnnotations([]byte(c.bytes))
			if err == nil || !strings.Contains(err.Error(), c.want) || len(got) != c.whole {
				t.Errorf("%v %v, want %d annotations and an error with %q", got, err, c.whole, c.want)
			}
			if cut := strings.Contains(c.want, "cut off"); cut != errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v: is the end unexpected?", err)
			}
		})
	}
}

func TestAppendAnnotationsRefuses(t *testing.T) {
	for _, c := range []struct {
		a    wfdb.Annotation
		want string
	}{
		{wfdb.Annotation{Code: 50}, "code 50"},
		{wfdb.Annotation{Code: wfdb.Note, Aux: strings.Repeat("x", 256)}, "256 bytes"},
		{wfdb.Annotation{Code: wfdb.Normal, Sample: 1 << 31}, "too far"},
		{wfdb.Annotation{Code: wfdb.NotQRS, Sample: math.MinInt64}, "too far"},
	} {
		if b, err := wfdb.AppendAnnotations([]byte("x"), []wfdb.Annotation{c.a}); err == nil || !strings.Contains(err.Error(), c.want) || b != nil {
			t.Errorf("%v: %q %v, want an error with %q", c.a, b, err, c.want)
		}
	}
}

func TestAnnotationFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.atr")
	want := []wfdb.Annotation{
		{Code: wfdb.Note, Aux: "## time resolution: 62.5"},
		{Sample: 1023, Code: wfdb.Normal}, {Sample: 2047, Code: wfdb.PVC, Chan: 255, Num: -128}, {Sample: 2000, Code: wfdb.Paced, Subtype: 127},
		{Sample: 1 << 30, Code: wfdb.Rhythm, Aux: strings.Repeat("y", 255)},
	}
	if err := wfdb.WriteAnnotations(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := wfdb.ReadAnnotations(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(wfdb.Annotation{})); d != "" {
		t.Error(d)
	}
	if rate, ok := wfdb.Resolution(got); !ok || rate != 62.5 {
		t.Errorf("resolution %v %v, want 62.5", rate, ok)
	}
	if _, ok := wfdb.Resolution(want[1:]); ok {
		t.Error("a resolution without a note")
	}
	if _, err := wfdb.ReadAnnotations(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want that it does not exist", err)
	}
	if err := os.WriteFile(path, []byte(normal18), 0o600); err != nil {
		t.Fatal(err)
	}
	if list, err := wfdb.ReadAnnotations(path); list != nil || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v %v, want that it is cut off", list, err)
	}
	if err := wfdb.WriteAnnotations(filepath.Join(path, "x"), nil); err == nil {
		t.Error("wrote below a file")
	}
}

// Every beat code of the databases has the class that EC57 gives it, and
// nothing else is a beat.
func TestCodes(t *testing.T) {
	classes := map[string]topics.BeatClass{}
	for class, codes := range map[topics.BeatClass]string{
		topics.BeatClass_BEAT_CLASS_N: "NLRB", topics.BeatClass_BEAT_CLASS_S: "aJASejn",
		topics.BeatClass_BEAT_CLASS_V: "VEr", topics.BeatClass_BEAT_CLASS_F: "F", topics.BeatClass_BEAT_CLASS_Q: "/fQ?",
	} {
		for _, c := range codes {
			classes[string(c)] = class
		}
	}
	for c := wfdb.Code(0); c < 64; c++ {
		class, beat := c.Class()
		want, wantBeat := classes[c.String()]
		if beat != wantBeat || class != want {
			t.Errorf("%v: class %v beat %v, want %v %v", c, class, beat, want, wantBeat)
		}
		parsed, ok := wfdb.ParseCode(c.String())
		if named := !strings.HasPrefix(c.String(), "[") || c == wfdb.VFOn; named != ok || ok && parsed != c {
			t.Errorf("%v parses as %v %v", c, parsed, ok)
		}
	}
	for class := range topics.BeatClass_name {
		if got, ok := wfdb.CodeOf(topics.BeatClass(class)).Class(); !ok || got != topics.BeatClass(class) {
			t.Errorf("class %d is written as a beat of class %v", class, got)
		}
	}
}

func FuzzAnnotations(f *testing.F) {
	f.Add([]byte(normal18 + pvc1 + end))
	f.Add([]byte("\x05\x38" + subMinus1 + chan2 + num3 + skip70000 + pvc1 + end))
	f.Add([]byte("\x00\x70\x03\xfc(N\x00\x00" + skipMinus1 + "\x01\x00" + end))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := wfdb.ParseAnnotations(b)
		if len(list) > len(b)/2 {
			t.Fatalf("%d annotations of %d bytes", len(list), len(b))
		}
		if err != nil {
			return
		}
		once, err := wfdb.AppendAnnotations(nil, list)
		if err != nil {
			if !strings.Contains(err.Error(), "too far") {
				t.Fatal(err)
			}
			return
		}
		again, err := wfdb.ParseAnnotations(once)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(list, again, cmp.AllowUnexported(wfdb.Annotation{})); d != "" {
			t.Fatal(d)
		}
		if twice, err := wfdb.AppendAnnotations(nil, again); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%v\n%x\n%x", err, once, twice)
		}
	})
}
