package alarms_test

import (
	"strings"
	"testing"
	"time"

	"heartwire/topics"
)

// gap is rhythm's word that records were lost.
func (b *bed) gap(cause topics.GapCause) *bed {
	b.t.Helper()
	b.put(&topics.Chart{Patient: b.key, TimeUs: began + int64(b.second)*1e6, Kind: &topics.Chart_Gap{Gap: &topics.Gap{Cause: cause}}})
	return b
}

// overtake tells the stage itself that records were lost.
func (b *bed) overtake() *bed {
	b.t.Helper()
	b.skipped += 50
	if err := b.fold.Overtaken(int64(len(b.log))+b.skipped, 50); err != nil {
		b.t.Fatal(err)
	}
	if said, bad := b.fold.Take(); len(said)+len(bad) > 0 {
		b.t.Fatalf("it says %v and condemns %v: it is judged with the next second", said, bad)
	}
	b.fold.Commit()
	return b
}

func TestLostDataAreAHighAlarm(t *testing.T) {
	for name, lose := range map[string]func(*bed){
		"by the chart's word": func(b *bed) { b.gap(topics.GapCause_GAP_CAUSE_OVERTAKEN) },
		"by itself":           func(b *bed) { b.overtake() },
		"by both":             func(b *bed) { b.gap(topics.GapCause_GAP_CAUSE_OVERTAKEN).overtake() },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, "p01").play("10 hr 72")
			lose(b)
			b.play("130 hr 72")
			b.want(
				"11 HIGH DATA LOST (raised)",
				"70 HIGH DATA LOST (timed-out)",
				"132 HIGH DATA LOST (ended: over)",
			)
			if t.Failed() {
				return
			}
			a := b.said[0].GetState()
			if a.GetRule() != "data-lost" || !a.GetTechnical() || a.GetOnsetUs() != began+10*1e6 || a.GetId() != b.said[1].GetState().GetId() {
				t.Errorf("the alarm is %v", a)
			}
		})
	}
}

func TestTheOnsetIsTheFirstLoss(t *testing.T) {
	b := newBed(t, "p01").play("10 hr 72").gap(topics.GapCause_GAP_CAUSE_OVERTAKEN)
	for range 5 {
		b.tick() // and no second
	}
	b.overtake().play("1 hr 72").want("11 HIGH DATA LOST (raised)")
	if at := b.said[0].GetState().GetOnsetUs(); at != began+10*1e6 {
		t.Errorf("it began at %d, want %d", at, began+int64(10*1e6))
	}
}

func TestOtherGapsLoseNothing(t *testing.T) {
	newBed(t, "p01").play("10 hr 72").gap(topics.GapCause_GAP_CAUSE_REBOOT).play("10 hr 72").want()
}

func TestAnotherLossIsTheSameEpisode(t *testing.T) {
	b := newBed(t, "p01").play("10 hr 72").overtake().play("60 hr 72").overtake().play("130 hr 72")
	b.want(
		"11 HIGH DATA LOST (raised)",
		"70 HIGH DATA LOST (timed-out)",
		"192 HIGH DATA LOST (ended: over)",
	)
	b.overtake().play("1 hr 72")
	if last := b.said[len(b.said)-1].GetState(); last.GetVersion() != 1 || last.GetId() == b.said[0].GetState().GetId() {
		t.Errorf("a loss after the end is no episode of its own: %v", last)
	}
}

func TestLostDataStayWhileNoneFlow(t *testing.T) {
	b := newBed(t, "p01").play("10 hr 72").overtake().play("200 gone")
	story := strings.Join(b.story, "\n")
	if !strings.Contains(story, "DATA LOST (raised)") || strings.Contains(story, "DATA LOST (ended") {
		t.Errorf("the story is\n%s", story)
	}
}

func TestAKeyThatWasLeftHasNoAlarmOfLostData(t *testing.T) {
	b := newBed(t, "p01").play("5 hr 72").leave().overtake()
	for range 700 {
		b.tick()
	}
	b.want()
	if b.fold.Len() != 0 {
		t.Error("a key that was left is not forgotten")
	}
	newBed(t, "p02").play("5 hr 72").overtake().leave().play("5 hr 72").want()
}

// While history is caught up with, two minutes pass in a moment: the alarm
// stays until what is said is about now.
func TestLostDataStayWhileHistoryIsCaughtUpWith(t *testing.T) {
	b := newBed(t, "p01")
	written := time.UnixMicro(began).Add(10 * 24 * time.Hour)
	b.written = func() time.Time { return written }
	b.play("10 hr 72").overtake().play("3400 hr 72")
	b.want("11 HIGH DATA LOST (raised)", "70 HIGH DATA LOST (timed-out)")
	b.story = nil
	b.written = func() time.Time { return time.UnixMicro(began + int64(b.second)*1e6 + 200_000) }
	b.play("122 hr 72")
	b.want("3531 HIGH DATA LOST (ended: over)")
}
