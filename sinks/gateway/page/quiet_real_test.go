//go:build real

package page_test

import (
	"fmt"
	"testing"
	"time"

	"heartwire/topics"
)

const (
	high, medium, low = topics.Priority_PRIORITY_HIGH, topics.Priority_PRIORITY_MEDIUM, topics.Priority_PRIORITY_LOW

	sounding     = topics.AlarmSignal_ALARM_SIGNAL_SOUNDING
	acknowledged = topics.AlarmSignal_ALARM_SIGNAL_ACKNOWLEDGED
	paused       = topics.AlarmSignal_ALARM_SIGNAL_PAUSED

	conditionActive  = topics.AlarmCondition_ALARM_CONDITION_ACTIVE
	conditionLatched = topics.AlarmCondition_ALARM_CONDITION_LATCHED

	burstOfHighAndRest = 8 * time.Second // 2.6 s and 5 s

	// watchBar collects the colours of a bar; barsSeen is how many there were.
	watchBar = `window.bars = new Set(); window.watching = setInterval(() => window.bars.add(getComputedStyle(document.querySelector("[data-bed=B03] > .bar")).backgroundColor), 20); 0`
	barsSeen = `(clearInterval(window.watching), window.bars.size)`
)

// TestAcknowledgedIsSilent hears a HIGH alarm, sees an acknowledgement cut its
// tone, and hears it again when the record says so: not before, though the time
// of the acknowledgement is over.
func TestAcknowledgedIsSilent(t *testing.T) {
	p := bed(3, "Kestrel 19", 72)
	f := newFake(t, bed(1, "Heron 27", 72), p)
	b := chromium(t, f.URL, 1920, 1080)
	b.until(`document.querySelectorAll(".tile").length === 2`, 5*time.Second)
	js[int](b, watchAudio)
	b.click()
	b.until("!("+noSound+")", 2*time.Second)
	version := uint32(0)
	say := func(signal topics.AlarmSignal, until time.Duration) {
		version++
		s := &topics.AlarmState{
			Id: "a1", Version: version, Rule: "vt", Priority: high, Text: "VT 186 > 100", Condition: conditionActive,
			OnsetUs: time.Now().Add(-5 * time.Second).UnixMicro(), Signal: signal,
		}
		if signal != sounding {
			s.SignalBy, s.SignalUntilUs = "N. Sato", time.Now().Add(until).UnixMicro()
		}
		f.raise(p, s)
	}
	flashes := func(want bool) {
		t.Helper()
		js[int](b, watchBar)
		time.Sleep(1200 * time.Millisecond)
		if n := js[int](b, barsSeen); (n > 1) != want {
			t.Errorf("the bar has %d colours, want it to flash: %v", n, want)
		}
	}
	say(sounding, 0)
	b.until("window.tones >= 10", 3*time.Second)
	flashes(true)

	say(acknowledged, 4*time.Second)
	b.until(text("[data-bed=B03].acknowledged > .bar .detail")+` === "Acknowledged by N. Sato"`, 3*time.Second)
	b.until(text("[data-bed=B03] > .bar .right .whole")+`.startsWith("again in 0:0")`, time.Second)
	tones := js[int](b, "window.tones")
	left := js[float64](b, "Math.max(...window.pulses.map(pulse => pulse[1])) - window.clock()")
	if left > 0.3 {
		t.Errorf("%.1f s of tone are still to come after the acknowledgement", left)
	}
	flashes(false)
	time.Sleep(burstOfHighAndRest)
	b.until(text("[data-bed=B03] > .bar .right.own .whole")+`.startsWith("quiet over 0:0")`, time.Second)
	if n := js[int](b, "window.tones"); n != tones {
		t.Errorf("%d tones were scheduled while the alarm is acknowledged", n-tones)
	}

	say(sounding, 0)
	b.until(fmt.Sprintf("window.tones >= %d", tones+10), 3*time.Second)
	flashes(true)
	say(paused, time.Minute)
	b.until(text("[data-bed=B03].paused > .bar .right .whole")+`.endsWith(" left")`, 3*time.Second)
	flashes(false)
}

// TestQuietInEveryState is a ward of all that can be quiet, for the eye, and
// that no text of it is cut off.
func TestQuietInEveryState(t *testing.T) {
	ward := quietStates()
	f := newFake(t, ward...)
	b := chromium(t, f.URL, 1920, 1080)
	b.until(`document.querySelectorAll(".tile").length === 16`, 5*time.Second)
	js[int](b, watchAudio)
	b.click()
	f.hush(ward[15], &topics.Silence{Ended: "broken"})
	b.until(text("[data-bed=B16] > .bar .detail")+` === "Pause ended: new HIGH"`, 3*time.Second)
	b.until(text("[data-bed=B08] .box b")+` === "STANDBY"`, 3*time.Second)
	b.until(text("[data-bed=B10] > .bar .right.own .whole")+`.startsWith("pause over 0:")`, 5*time.Second)
	time.Sleep(time.Second)
	b.shot("quiet")
	if cut := js[[]string](b, cutOff); len(cut) > 0 {
		t.Errorf("cut off: %q", cut)
	}
	f.hush(ward[7], &topics.Silence{Standby: true, Ended: "resumed"})
	b.until(`document.querySelector("[data-bed=B08].is-nodata") !== null`, 12*time.Second)
}

// quietStates is sixteen beds, each quiet in another way but the first and the last.
func quietStates() []*patient {
	var ward []*patient
	for i, name := range []string{"Heron 27", "Maple 04", "Kestrel 19", "Otter 33", "Birch 11", "Finch 52", "Cedar 08", "Plover 41", "Aspen 16", "Wren 22", "Lark 30", "Rowan 65", "Swift 09", "Alder 73", "Robin 38", "Tern 12"} {
		ward = append(ward, bed(i+1, name, 60+float64(i*7%60)))
	}
	now := time.Now()
	alarm := func(i int, s *topics.AlarmState, by string, until time.Duration) {
		s.Id, s.Version, s.OnsetUs = fmt.Sprint(i, s.Rule), 2, now.Add(-72*time.Second).UnixMicro()
		if s.Condition == 0 {
			s.Condition = conditionActive
		}
		if s.Condition == conditionLatched {
			s.EndedUs, s.Latching = now.Add(-41*time.Second).UnixMicro(), true
		}
		if s.SignalBy = by; until != 0 {
			s.SignalUntilUs = now.Add(until).UnixMicro()
		}
		ward[i].alarm(s)
	}
	fast := func(signal topics.AlarmSignal) *topics.AlarmState {
		return &topics.AlarmState{Rule: "hr.high", Priority: medium, Text: "HR 131 > 120", Signal: signal}
	}
	vt := func(signal topics.AlarmSignal, condition topics.AlarmCondition) *topics.AlarmState {
		return &topics.AlarmState{Rule: "vt", Priority: high, Text: "VT 186 > 100", Signal: signal, Condition: condition}
	}
	leads := func(signal topics.AlarmSignal, priority topics.Priority) *topics.AlarmState {
		return &topics.AlarmState{Rule: "lead-off", Priority: priority, Technical: true, Text: "LEAD OFF 0:42", Signal: signal}
	}
	alarm(0, vt(sounding, conditionActive), "", 0)
	accepted := fast(acknowledged)
	accepted.Responsibility, accepted.Responsible = topics.Responsibility_RESPONSIBILITY_ACCEPTED, "N. Sato"
	alarm(1, accepted, "N. Sato", 220*time.Second)
	alarm(2, fast(paused), "R. Okafor", 84*time.Second)
	alarm(3, vt(sounding, conditionLatched), "", 0)
	alarm(4, vt(acknowledged, conditionActive), "N. Sato", 100*time.Second)
	alarm(5, vt(paused, conditionActive), "R. Okafor", 100*time.Second)
	alarm(6, vt(acknowledged, conditionLatched), "N. Sato", 0)
	ward[7].from, ward[7].silent = now.Add(-time.Minute), true
	ward[7].hush(&topics.Silence{On: true, Standby: true, Person: "R. Okafor", Reason: "radiology", FromUs: now.Add(-27 * time.Minute).UnixMicro(), UntilUs: now.Add(33 * time.Minute).UnixMicro()})
	ward[8].hush(&topics.Silence{On: true, Person: "R. Okafor", FromUs: now.UnixMicro(), UntilUs: now.Add(2 * time.Minute).UnixMicro()})
	alarm(9, fast(paused), "R. Okafor", time.Second)
	alarm(10, &topics.AlarmState{Rule: "pvc", Priority: low, Text: "PVC 14 > 10 /min", Signal: acknowledged}, "N. Sato", 0)
	alarm(11, leads(acknowledged, medium), "N. Sato", 220*time.Second)
	alarm(12, leads(paused, high), "R. Okafor", 84*time.Second)
	ward[11].leadOff, ward[12].leadOff = true, true
	alarm(13, vt(acknowledged, conditionActive), "N. Sato", 100*time.Second)
	alarm(13, fast(sounding), "", 0)
	ward[14].hush(&topics.Silence{On: true, Standby: true, Person: "N. Sato", Reason: "bath", FromUs: now.UnixMicro(), UntilUs: now.Add(10 * time.Minute).UnixMicro()})
	alarm(15, vt(sounding, conditionActive), "", 0)
	return ward
}
