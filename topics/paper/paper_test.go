package paper_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"heartwire/topics"
	"heartwire/topics/paper"
)

// strip is 20 s of two leads, of which 2 s are missing and one lead is off for one.
func strip() *topics.Strip {
	const onset = 1_700_000_000_000_000
	s := &topics.Strip{
		Patient: "p1", Alarm: "0123456789ab", Rule: "hr.high", Priority: topics.Priority_PRIORITY_MEDIUM, Text: "HR 134 > 120 <b>",
		OnsetUs: onset, FromUs: onset - 10e6, ToUs: onset + 10e6,
		Holes: []*topics.StripHole{{FromUs: onset + 2e6, ToUs: onset + 4e6, Why: topics.HoleMissing}},
	}
	for i := range 20 {
		if i == 12 || i == 13 {
			continue
		}
		var leads []*topics.Lead
		for l, name := range []string{"II", "V1"} {
			deltas := make([]int32, 250)
			deltas[100], deltas[110] = 400, -400 // 1 mV at 2.5 µV a count
			leads = append(leads, &topics.Lead{Name: name, MicrovoltsPerCount: 2.5, Deltas: deltas, Off: l == 1 && i == 5})
		}
		s.Runs = append(s.Runs, &topics.Samples{Device: "d", Boot: 1, First: uint64(i * 250), Rate: 250, Count: 250, Leads: leads, TimeUs: s.FromUs + int64(i)*1e6})
		class := topics.BeatClass_BEAT_CLASS_N
		if i > 9 {
			class = topics.BeatClass_BEAT_CLASS_V
		}
		s.Annotations = append(s.Annotations, &topics.Annotation{TimeUs: s.FromUs + int64(i)*1e6 + 420_000, Kind: &topics.Annotation_Beat{Beat: &topics.Beat{Class: class}}})
	}
	return s
}

func draw(t *testing.T, s *topics.Strip) string {
	t.Helper()
	var b bytes.Buffer
	if err := paper.Write(&b, s); err != nil {
		t.Fatal(err)
	}
	for dec := xml.NewDecoder(bytes.NewReader(b.Bytes())); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return b.String()
		} else if err != nil {
			t.Fatalf("this is no XML: %v", err)
		}
	}
}

var line = regexp.MustCompile(` d="(M[^"]*L[^"]*)"`)

func TestAStripIsDrawnInTheScaleOfPaper(t *testing.T) {
	svg := draw(t, strip())
	if !strings.Contains(svg, `width="512mm"`) {
		t.Error("20 s are not 500 mm wide, and 6 mm to each side")
	}
	lines := line.FindAllStringSubmatch(svg, -1)
	if len(lines) != 2 {
		t.Fatalf("%d leads are drawn, want 2", len(lines))
	}
	var low, high = math.Inf(1), math.Inf(-1)
	for _, point := range regexp.MustCompile(`[ML][^ML]*`).FindAllString(lines[0][1], -1) {
		_, y, _ := strings.Cut(point[1:], " ")
		v, err := strconv.ParseFloat(y, 64)
		if err != nil {
			t.Fatal(err)
		}
		low, high = min(low, v), max(high, v)
	}
	if tall := high - low; math.Abs(tall-10) > 0.01 {
		t.Errorf("1 mV is %.2f mm tall, want 10", tall)
	}
	// One pen goes down at the beginning and after the hole, the other also
	// behind the second in which its lead was off.
	for i, want := range []int{2, 3} {
		if n := strings.Count(lines[i][1], "M"); n != want {
			t.Errorf("lead %d is drawn in %d lines, want %d: nothing is joined across what is missing", i, n, want)
		}
	}
}

func TestAStripSaysWhatIsOnIt(t *testing.T) {
	svg := draw(t, strip())
	for _, want := range []string{
		"HR 134 &gt; 120 &lt;b&gt;", ">p1   MEDIUM   hr.high   onset 2023-11-14 22:13:20.000 UTC   alarm 0123456789ab<", ">onset<", ">II<", ">V1<",
		`fill="url(#hole)"`, ">missing<", ">lead off<", ">N</text>", `class="f v">V</text>`, ">-10 s<", ">0 s<", ">+10 s<",
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("%q is not on it", want)
		}
	}
	empty := strip()
	empty.Runs, empty.Annotations = nil, nil
	if svg := draw(t, empty); !strings.Contains(svg, ">onset<") {
		t.Error("a strip without samples is not drawn")
	}
}
