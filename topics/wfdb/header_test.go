package wfdb_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heartwire/topics/wfdb"
)

func TestParseHeader(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       wfdb.Record
	}{
		{"two leads, format 212, baseline from the zero", `
r1 2 360 650000 0:0:0 17/5/1980
r1.dat 212 200 11 1024 995 -22131 0 MLII
r1.dat 212 200 11 1000 1011 20052 0 V5
# 69 M
`, wfdb.Record{
			Name: "r1", Rate: 360, Length: 650000, StartTime: "0:0:0", StartDate: "17/5/1980", Comments: []string{"69 M"},
			Signals: []wfdb.Signal{
				{File: "r1.dat", Format: 212, Gain: 200, Baseline: 1024, Units: "mV", ADCBits: 11, ADCZero: 1024, Initial: 995, Checksum: -22131, Checked: true, Description: "MLII"},
				{File: "r1.dat", Format: 212, Gain: 200, Baseline: 1000, Units: "mV", ADCBits: 11, ADCZero: 1000, Initial: 1011, Checksum: 20052, Checked: true, Description: "V5"},
			},
		}},
		{"offset, gain with baseline and units, description of several words", "r2 1 62.5/1000(12) 10\r\nr2.mat 16+24 1.5e+04(-7)/uV 16 3 0 40000 0 lead II  of two\r\n",
			wfdb.Record{Name: "r2", Rate: 62.5, Length: 10, Signals: []wfdb.Signal{
				{File: "r2.mat", Format: 16, Offset: 24, Gain: 15000, Baseline: -7, Units: "uV", ADCBits: 16, ADCZero: 3, Checksum: 40000 - 65536, Checked: true, Description: "lead II  of two"},
			}}},
		{"only what must be there: defaults", "# before\nr3 1\nr3.dat 16x1:0", wfdb.Record{Name: "r3", Rate: 250, Signals: []wfdb.Signal{
			{File: "r3.dat", Format: 16, Gain: 200, Units: "mV"},
		}}},
		{"gain 0 is not calibrated", "r4 1\nr4.dat 16 0/NU", wfdb.Record{Name: "r4", Rate: 250, Signals: []wfdb.Signal{
			{File: "r4.dat", Format: 16, Gain: 200, Units: "NU"},
		}}},
		{"annotations only", "r5 0 250 0", wfdb.Record{Name: "r5", Rate: 250}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := wfdb.ParseHeader([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(&c.want, got, cmpopts.IgnoreUnexported(wfdb.Record{})); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseHeaderRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "no record line"},
		{"r", "line 1: want at least a name"},
		{"r/3 2 250", "3 segments"},
		{"r -1", `number of signals "-1"`},
		{"r 100000", `number of signals "100000"`},
		{"r 1 0", `sampling rate "0"`},
		{"r 1 NaN", `sampling rate "NaN"`},
		{"r 1 +Inf", `sampling rate "+Inf"`},
		{"r 1 250 -3", `length "-3"`},
		{"r 2 250\nr.dat 16", "2 signals announced, 1 described"},
		{"r 1 250\nr.dat 16\n\nr.dat 16", "line 4: one signal more"},
		{"r 1\nr.dat", "line 2: want at least a file"},
		{"r 1\n../r.dat 16", "beside the header"},
		{"r 1\n/etc/passwd 16", "beside the header"},
		{"r 1\n- 16 \nx", "one signal more"},
		{"r 1\nr.dat 8", "only 16 and 212"},
		{"r 1\nr.dat 16x4", "several samples a row"},
		{"r 1\nr.dat 16:5", "skew"},
		{"r 1\nr.dat 16+-1", "bytes after +"},
		{"r 1\nr.dat 16 -5", "counts per unit"},
		{"r 1\nr.dat 16 NaN", "counts per unit"},
		{"r 1\nr.dat 16 200(x)", "baseline"},
		{"r 1\nr.dat 16 200 twelve", `resolution "twelve"`},
		{"r 1\nr.dat 16 200 12 0 99999999999", "initial value"},
	} {
		_, err := wfdb.ParseHeader([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want an error with %q", c.text, err, c.want)
		}
	}
}

func TestSignalECG(t *testing.T) {
	for _, c := range []struct {
		units, description string
		want               bool
	}{
		{"mV", "MLII", true},
		{"mV", "", true},
		{"uV", "V5", true},
		{"mV", "ARTIFACT lead", true},
		{"mV", "Resp", false},
		{"mV", "ABP 2", false},
		{"mV", "CO2", false},
		{"NU", "PLETH", false},
		{"mmHg", "ABP", false},
	} {
		if got := (wfdb.Signal{Units: c.units, Description: c.description}).ECG(); got != c.want {
			t.Errorf("%s in %s: ECG %v", c.description, c.units, got)
		}
	}
	if uv := (wfdb.Signal{Units: "mV", Gain: 200}).MicrovoltsPerCount(); uv != 5 {
		t.Errorf("200 counts per mV are %g µV per count, want 5", uv)
	}
}
