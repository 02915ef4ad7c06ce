package bridge

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// good is a frame of two leads that has one of everything.
func good() *topics.PatchFrame {
	battery := uint32(80)
	return &topics.PatchFrame{
		Device: "patch-01", Boot: 3, First: 1000, Rate: 250,
		Leads: []*topics.Lead{
			{Name: "I", MicrovoltsPerCount: 2.5, Deltas: []int32{5, -1, 2, 0, 7, 1, 1, 1, -30}},
			{Name: "II", MicrovoltsPerCount: 2.5, Off: true, Deltas: []int32{0, 0, 0, 0, 0, 0, 0, 0, 0}},
		},
		Missing: []byte{0b1000_0010, 1}, PacePulses: []uint32{2, 8},
		DeviceTimeUs: 1_700_000_000_000_000, BatteryPercent: &battery,
	}
}

func encoded(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Each kind of bad input, with the reason it must get.
func badFrames(t testing.TB) map[string]struct {
	payload []byte
	device  string
	want    Reason
} {
	type bad = struct {
		payload []byte
		device  string
		want    Reason
	}
	all := map[string]bad{}
	raw := func(name string, want Reason, payload []byte) { all[name] = bad{payload, "patch-01", want} }
	change := func(name string, want Reason, how func(*topics.PatchFrame)) {
		f := good()
		how(f)
		all[name] = bad{encoded(t, f), "patch-01", want}
	}
	whole := encoded(t, good())
	raw("empty", Undecodable, nil)
	raw("truncated", Undecodable, whole[:len(whole)-3])
	raw("random", Undecodable, []byte{0xff, 0x13, 0x88, 0xfe, 0xfe, 0x00, 0x01})
	raw("huge varint", Undecodable, append([]byte{0x10}, bytes.Repeat([]byte{0xff}, 20)...))
	raw("length past the end", Undecodable, []byte{0x0a, 0xff, 0xff, 0xff, 0x7f})
	raw("no UTF-8", Undecodable, []byte{0x0a, 2, 0xff, 0xfe})
	raw("JSON cut off", Undecodable, []byte(`{"device":"patch-01",`))
	raw("JSON of wrong types", Undecodable, []byte(`{"device":"patch-01","rate":"fast"}`))
	raw("deep JSON", Undecodable, []byte(strings.Repeat(`{"a":`, 100_000)))
	raw("10 MB", Oversize, make([]byte, 10<<20))
	raw("1 byte over", Oversize, make([]byte, MaxMessage+1))
	for name, device := range map[string]string{
		"no device": "", "plus": "a+b", "hash": "a#", "slash": "a/b", "control": "a\x00b", "long": strings.Repeat("x", 65),
	} {
		f := good()
		f.Device = device
		all["device: "+name] = bad{encoded(t, f), device, DeviceInvalid}
	}
	all["device: bad in the topic"] = bad{whole, "a\x1bb", DeviceInvalid}
	all["device: another in the topic"] = bad{whole, "patch-02", DeviceMismatch}
	change("no leads", LeadsNone, func(f *topics.PatchFrame) { f.Leads = nil })
	change("13 leads", LeadsMany, func(f *topics.PatchFrame) {
		for range 11 {
			f.Leads = append(f.Leads, f.Leads[0])
		}
	})
	change("unequal leads", LeadsUnequal, func(f *topics.PatchFrame) { f.Leads[1].Deltas = f.Leads[1].Deltas[1:] })
	change("lead without a name", LeadName, func(f *topics.PatchFrame) { f.Leads[0].Name = "" })
	change("long lead name", LeadName, func(f *topics.PatchFrame) { f.Leads[0].Name = strings.Repeat("V", 17) })
	change("two leads of a name", LeadName, func(f *topics.PatchFrame) { f.Leads[1].Name = "I" })
	change("deltas and samples", LeadSamples, func(f *topics.PatchFrame) { f.Leads[0].Samples = f.Leads[0].Deltas })
	change("neither", LeadSamples, func(f *topics.PatchFrame) { f.Leads[0].Deltas = nil })
	for name, rate := range map[string]float64{
		"0": 0, "NaN": math.NaN(), "Inf": math.Inf(1), "-Inf": math.Inf(-1), "negative": -250, "9.9": 9.9, "5001": 5001,
	} {
		change("rate "+name, RateInvalid, func(f *topics.PatchFrame) { f.Rate = rate })
	}
	change("too few", SamplesFew, func(f *topics.PatchFrame) { f.Rate, f.PacePulses = 500, nil })
	change("too many", SamplesMany, func(f *topics.PatchFrame) {
		f.Missing, f.Leads = nil, []*topics.Lead{{Name: "I", MicrovoltsPerCount: 1, Deltas: make([]int32, 2502)}}
	})
	for name, scale := range map[string]float64{"0": 0, "negative": -1, "NaN": math.NaN(), "Inf": math.Inf(1)} {
		change("scale "+name, ScaleInvalid, func(f *topics.PatchFrame) { f.Leads[1].MicrovoltsPerCount = scale })
	}
	change("short missing", MissingLength, func(f *topics.PatchFrame) { f.Missing = []byte{1} })
	change("long missing", MissingLength, func(f *topics.PatchFrame) { f.Missing = []byte{1, 1, 1} })
	change("pace past the end", PaceRange, func(f *topics.PatchFrame) { f.PacePulses = []uint32{9, 1} })
	change("pace huge", PaceRange, func(f *topics.PatchFrame) { f.PacePulses = []uint32{math.MaxUint32} })
	change("boot past 2^63", Overflow, func(f *topics.PatchFrame) { f.Boot = 1 << 63 })
	change("counter at its end", Overflow, func(f *topics.PatchFrame) { f.First = math.MaxUint64 })
	change("counter of a hundred years", Overflow, func(f *topics.PatchFrame) { f.First = 250 * 101 * 366 * 24 * 3600 })
	change("deltas past 32 bits", Overflow, func(f *topics.PatchFrame) { f.Leads[0].Deltas[0], f.Leads[0].Deltas[2] = math.MaxInt32, math.MaxInt32 })
	change("samples past 32 bits apart", Overflow, func(f *topics.PatchFrame) {
		f.Leads[0].Deltas, f.Leads[0].Samples = nil, []int32{math.MinInt32, math.MaxInt32, 0, 0, 0, 0, 0, 0, 0}
	})
	return all
}

func TestBadFramesGetTheirReason(t *testing.T) {
	for name, c := range badFrames(t) {
		_, err := decodeFrame(c.payload, c.device)
		var r *Refusal
		if !errors.As(err, &r) || r.Reason != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		} else if r.Detail == "" {
			t.Errorf("%s: nothing says what to do", name)
		}
	}
}

func TestGoodFramesAreTaken(t *testing.T) {
	sets := map[string]func(*topics.PatchFrame){
		"as it is":            func(*topics.PatchFrame) {},
		"62.5 Hz":             func(f *topics.PatchFrame) { f.Rate = 62.5 },
		"244.14 Hz":           func(f *topics.PatchFrame) { f.Rate = 244.14 },
		"10 Hz":               func(f *topics.PatchFrame) { f.Rate = 10 },
		"device time of 1970": func(f *topics.PatchFrame) { f.DeviceTimeUs = 1 },
		"device time of 2300": func(f *topics.PatchFrame) { f.DeviceTimeUs = math.MaxInt64 },
		"battery of 250":      func(f *topics.PatchFrame) { *f.BatteryPercent = 250 },
		"12 leads": func(f *topics.PatchFrame) {
			for _, n := range strings.Fields("III aVR aVL aVF V1 V2 V3 V4 V5 V6") {
				f.Leads = append(f.Leads, &topics.Lead{Name: n, MicrovoltsPerCount: 1, Deltas: f.Leads[0].Deltas})
			}
		},
		"the largest": func(f *topics.PatchFrame) {
			f.Missing, f.Leads = nil, []*topics.Lead{{Name: "I", MicrovoltsPerCount: 1, Deltas: make([]int32, 2500)}}
		},
	}
	for name, how := range sets {
		f := good()
		how(f)
		if _, err := decodeFrame(encoded(t, f), "patch-01"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// However a frame is written, the same Samples come out.
func TestWritingsOfOneFrameAreOne(t *testing.T) {
	f := good()
	want, err := decodeFrame(encoded(t, f), "patch-01")
	if err != nil {
		t.Fatal(err)
	}
	plain := proto.Clone(f).(*topics.PatchFrame)
	for _, l := range plain.Leads {
		sum := int32(0)
		for _, d := range l.Deltas {
			sum += d
			l.Samples = append(l.Samples, sum)
		}
		l.Deltas = nil
	}
	plain.PacePulses = []uint32{8, 2, 8}
	asJSON, err := protojson.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	newer := append(encoded(t, plain), 0xfa, 0x7f, 1, 'x') // field 2047, of a protocol to come
	for name, payload := range map[string][]byte{
		"plain samples": encoded(t, plain), "JSON": asJSON, "fields of the future": newer,
		"JSON of the future": bytes.Replace(asJSON, []byte("{"), []byte(`{"later":[1],`), 1),
	} {
		got, err := decodeFrame(payload, "patch-01")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !proto.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
		if fingerprint(got) != fingerprint(want) {
			t.Errorf("%s: another fingerprint", name)
		}
	}
}

func TestFingerprintSeesEachChange(t *testing.T) {
	base, err := decodeFrame(encoded(t, good()), "patch-01")
	if err != nil {
		t.Fatal(err)
	}
	for name, how := range map[string]func(*topics.PatchFrame){
		"a sample":  func(f *topics.PatchFrame) { f.Leads[1].Deltas[8]++ },
		"the order": func(f *topics.PatchFrame) { f.Leads[0], f.Leads[1] = f.Leads[1], f.Leads[0] },
		"a scale":   func(f *topics.PatchFrame) { f.Leads[0].MicrovoltsPerCount = 5 },
		"lead off":  func(f *topics.PatchFrame) { f.Leads[0].Off = true },
		"missing":   func(f *topics.PatchFrame) { f.Missing[0] ^= 1 },
		"pace":      func(f *topics.PatchFrame) { f.PacePulses[0]++ },
		"the rate":  func(f *topics.PatchFrame) { f.Rate = 251 },
	} {
		f := good()
		how(f)
		s, err := decodeFrame(encoded(t, f), "patch-01")
		if err != nil {
			t.Fatal(err)
		}
		if fingerprint(s) == fingerprint(base) {
			t.Errorf("%s: the same fingerprint", name)
		}
	}
}

func TestVitals(t *testing.T) {
	vitals := func(how func(*topics.PatchVitals)) []byte {
		v := &topics.PatchVitals{Device: "patch-01", Boot: 1, Vitals: []*topics.Vital{{Loinc: "59408-5", Value: 97, Ucum: "%"}}}
		how(v)
		return encoded(t, v)
	}
	for name, c := range map[string]struct {
		payload []byte
		want    Reason // "" is taken
	}{
		"good":        {vitals(func(*topics.PatchVitals) {}), ""},
		"respiration": {vitals(func(v *topics.PatchVitals) { v.Vitals[0] = &topics.Vital{Loinc: "9279-1", Value: 14, Ucum: "/min"} }), ""},
		"none":        {vitals(func(v *topics.PatchVitals) { v.Vitals = nil }), VitalsCount},
		"too many":    {vitals(func(v *topics.PatchVitals) { v.Vitals = make([]*topics.Vital, 65); fill(v.Vitals) }), VitalsCount},
		"NaN":         {vitals(func(v *topics.PatchVitals) { v.Vitals[0].Value = math.NaN() }), VitalInvalid},
		"check digit": {vitals(func(v *topics.PatchVitals) { v.Vitals[0].Loinc = "59408-6" }), VitalInvalid},
		"no LOINC":    {vitals(func(v *topics.PatchVitals) { v.Vitals[0].Loinc = "SpO2" }), VitalInvalid},
		"no unit":     {vitals(func(v *topics.PatchVitals) { v.Vitals[0].Ucum = "" }), VitalInvalid},
		"random":      {[]byte("hello"), Undecodable},
		"other":       {vitals(func(v *topics.PatchVitals) { v.Device = "patch-02" }), DeviceMismatch},
	} {
		_, err := decodeVitals(c.payload, "patch-01")
		var r *Refusal
		if got := Reason(""); errors.As(err, &r) {
			if got = r.Reason; got != c.want {
				t.Errorf("%s: got %v, want %q", name, err, c.want)
			}
		} else if c.want != "" || err != nil {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func fill(v []*topics.Vital) {
	for i := range v {
		v[i] = &topics.Vital{Loinc: "59408-5", Value: 97, Ucum: "%"}
	}
}

// FuzzDecode: whatever is sent to whichever topic, it is refused or it is
// sound, and what is sound can be written down and read again.
func FuzzDecode(f *testing.F) {
	for _, c := range badFrames(f) {
		if len(c.payload) < 1<<12 {
			f.Add(c.payload, c.device)
		}
	}
	f.Add(encoded(f, good()), "patch-01")
	plain := good()
	plain.Missing, plain.PacePulses = nil, nil
	f.Add(encoded(f, plain), "patch-01")
	f.Add([]byte(`{"device":"p","boot":1,"rate":250,"leads":[{"name":"I","microvolts_per_count":1,"samples":[1,2,3,4,5]}]}`), "p")
	f.Fuzz(func(t *testing.T, payload []byte, from string) {
		_, err := decodeVitals(payload, from)
		mustRefuse(t, err)
		_, err = decodeStatus(payload, from)
		mustRefuse(t, err)
		samePaths(t, payload, from)
		s, err := decodeFrame(payload, from)
		if mustRefuse(t, err) {
			return
		}
		n := int(s.Count)
		if n == 0 || s.Device != from || len(s.Leads) == 0 || s.First+uint64(n) < s.First {
			t.Fatalf("not sound: %v", s)
		}
		for _, l := range s.Leads {
			if len(l.Deltas) != n || len(l.Samples) != 0 {
				t.Fatalf("lead of %d deltas, %d samples in a frame of %d", len(l.Deltas), len(l.Samples), n)
			}
		}
		d := &device{}
		d.place(s, 1_700_000_000_000_000)
		again, err := topics.Frames.Append(nil, &topics.Frame{Patient: "p", Kind: &topics.Frame_Samples{Samples: s}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := topics.Frames.DecodeValue(again); err != nil {
			t.Fatal(err)
		}
	})
}

func mustRefuse(t *testing.T, err error) bool {
	t.Helper()
	var r *Refusal
	if err != nil && !errors.As(err, &r) {
		t.Fatalf("%v is no refusal", err)
	}
	return err != nil
}

// Every reason in the code is in the list, and the list in the code.
func TestReasonsAreBounded(t *testing.T) {
	seen := map[Reason]bool{}
	for _, r := range Reasons() {
		if seen[r] {
			t.Errorf("%s twice", r)
		}
		seen[r] = true
	}
	for name, c := range badFrames(t) {
		if !seen[c.want] {
			t.Errorf("%s: %s is in no list", name, c.want)
		}
	}
}

// samePaths wants the two ways to read a frame to agree: what is read without
// decoding is sound, has the same fingerprint and makes the same bytes.
func samePaths(t *testing.T, payload []byte, device string) (plain bool) {
	t.Helper()
	var w wire
	if !validDevice(device) || !w.read(payload, device) {
		return false
	}
	s, err := decodeFrame(payload, device)
	if err != nil {
		t.Fatalf("taken as it is, but refused when decoded: %v", err)
	}
	s.TimeUs, s.ArrivalUs = 1_700_000_000_000_000, 1_700_000_000_250_000
	want, err := topics.Frames.Append(nil, &topics.Frame{Patient: "p01", Kind: &topics.Frame_Samples{Samples: s}})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.append(nil, "p01", device, s); !bytes.Equal(got, want) {
		t.Fatalf("as it is: %x\ndecoded:  %x", got, want)
	}
	if got, want := (run{w.boot, w.first, uint32(w.count), w.print}), (run{s.Boot, s.First, s.Count, fingerprint(s)}); got != want {
		t.Fatalf("as it is %v, decoded %v", got, want)
	}
	if w.deviceTime != s.DeviceTimeUs {
		t.Fatalf("device time %d, decoded %d", w.deviceTime, s.DeviceTimeUs)
	}
	return true
}

func TestPlainFramesAreReadAsTheyAre(t *testing.T) {
	plain := func(how func(*topics.PatchFrame)) []byte {
		f := good()
		f.Missing, f.PacePulses = nil, nil
		how(f)
		return encoded(t, f)
	}
	for name, payload := range map[string][]byte{
		"as it is":      plain(func(*topics.PatchFrame) {}),
		"first boot":    plain(func(f *topics.PatchFrame) { f.Boot, f.First = 0, 0 }),
		"no battery":    plain(func(f *topics.PatchFrame) { f.BatteryPercent = nil }),
		"battery of 0":  plain(func(f *topics.PatchFrame) { *f.BatteryPercent = 0 }),
		"no clock":      plain(func(f *topics.PatchFrame) { f.DeviceTimeUs = 0 }),
		"clock of 1960": plain(func(f *topics.PatchFrame) { f.DeviceTimeUs = -1 }),
		"large deltas":  plain(func(f *topics.PatchFrame) { f.Leads[0].Deltas[3] = math.MinInt32 + 100 }),
	} {
		if !samePaths(t, payload, "patch-01") {
			t.Errorf("%s: was decoded", name)
		}
	}
	for name, c := range badFrames(t) {
		if samePaths(t, c.payload, c.device) {
			t.Errorf("%s: taken as it is", name)
		}
	}
	if samePaths(t, encoded(t, good()), "patch-01") {
		t.Error("a frame with missing samples is not plain")
	}
}

// benchmarkFrame is two leads at 250 Hz, 248 ms, of an amplitude as in life.
func benchmarkFrame(b *testing.B) []byte {
	f := &topics.PatchFrame{Device: "patch-01", Boot: 1, First: 62, Rate: 250}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"I", "II"} {
		l := &topics.Lead{Name: name, MicrovoltsPerCount: 2.5}
		for range 62 {
			l.Deltas = append(l.Deltas, int32(rng.NormFloat64()*20))
		}
		f.Leads = append(f.Leads, l)
	}
	payload := encoded(b, f)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	return payload
}

func BenchmarkFrameDecoded(b *testing.B) {
	payload := benchmarkFrame(b)
	for b.Loop() {
		s, err := decodeFrame(payload, "patch-01")
		if err != nil {
			b.Fatal(err)
		}
		fingerprint(s)
		if _, err := topics.Frames.Append(nil, &topics.Frame{Patient: "p01", Kind: &topics.Frame_Samples{Samples: s}}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFrameAsItIs(b *testing.B) {
	payload := benchmarkFrame(b)
	var w wire
	s := &topics.Samples{TimeUs: 1_700_000_000_000_000, ArrivalUs: 1_700_000_000_000_000}
	for b.Loop() {
		if !w.read(payload, "patch-01") {
			b.Fatal("not plain")
		}
		w.append(nil, "p01", "patch-01", s)
	}
}
