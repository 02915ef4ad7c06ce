//go:build real

package page_test

import (
	"fmt"
	"image"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"heartwire/topics"
)

func TestWardInEveryState(t *testing.T) {
	ward := everyState()
	f := newFake(t, ward...)
	b := chromium(t, f.URL, 1920, 1080)
	b.until(`document.querySelectorAll(".tile").length === 16`, 5*time.Second)
	b.click()
	f.do(func() { ward[10].silent = true })
	time.Sleep(5 * time.Second)
	b.until(`document.querySelector("[data-bed=B11].is-delayed") !== null`, 3*time.Second)
	b.until(`document.querySelector("[data-bed=B10].is-leadoff") !== null`, 3*time.Second)
	b.shot("ward")
	b.do(chromedp.KeyEvent("d"))
	time.Sleep(300 * time.Millisecond)
	b.shot("ward-night")
	cut := js[[]string](b, cutOff)
	if len(cut) > 0 {
		t.Errorf("cut off: %q", cut)
	}
}

// TestWardOfEverySize looks at each row of the layout table, with the longest
// text that a rule can say in every tile.
func TestWardOfEverySize(t *testing.T) {
	longest := []string{"ASYSTOLE 10.5 > 10 s", "NO DATA 134 > 60 s", "PVC 114 > 110 /min", "LEAD OFF 1:20:42", "HR 234 > 200"}
	for _, size := range []struct{ beds, width, height int }{
		{4, 1920, 1080}, {8, 1920, 1080}, {16, 1920, 1080}, {24, 1920, 1080}, {32, 1920, 1080}, {64, 1920, 1080}, {8, 1280, 720}, {16, 1366, 768}, {6, 800, 1000}, {3, 390, 844},
	} {
		t.Run(fmt.Sprintf("%d-%dx%d", size.beds, size.width, size.height), func(t *testing.T) {
			var ward []*patient
			for i := range size.beds {
				p := bed(i+1, "Kestrel 19", 60+float64(i*7%80))
				ward = append(ward, p)
				if i%2 == 1 {
					p.alarm(&topics.AlarmState{
						Id: fmt.Sprint(i), Version: 1, Rule: "hr.high", Priority: topics.Priority(1 + i%3), Technical: i%4 == 3,
						Text: longest[i/2%len(longest)], Condition: topics.AlarmCondition_ALARM_CONDITION_ACTIVE,
						OnsetUs: time.Now().Add(-time.Duration(i) * time.Minute).UnixMicro(),
						Signal:  topics.AlarmSignal(1 + i/2%3), SignalBy: "R. Okafor",
						SignalUntilUs: time.Now().Add(time.Duration(i%5-1) * time.Minute).UnixMicro(), // the time of some is over
					})
				}
			}
			f := newFake(t, ward...)
			b := chromium(t, f.URL, int64(size.width), int64(size.height))
			b.until(fmt.Sprintf(`document.querySelectorAll(".tile.is-live").length === %d`, size.beds), 10*time.Second)
			b.click()
			time.Sleep(2 * time.Second)
			picture := b.shot(fmt.Sprintf("size-%d-%dx%d", size.beds, size.width, size.height))
			if cut := js[[]string](b, cutOff); len(cut) > 0 {
				t.Errorf("cut off: %q", cut)
			}
			if size.width >= 600 {
				if out := js[int](b, `[...document.querySelectorAll(".tile")].filter(e => e.getBoundingClientRect().bottom > innerHeight).length`); out > 0 {
					t.Errorf("%d beds are out of sight", out)
				}
			}
			sameCursor(t, b, picture, size.beds)
		})
	}
}

// cutOff names texts that say what and how bad, and do not fit.
const cutOff = `[...document.querySelectorAll(".bar .text, .bar .right, .bar .bell, .tile .rate, .tile .limits, .tile .box, .tile .fresh")].filter(e => e.scrollWidth > e.clientWidth + 1 ||
	e.getBoundingClientRect().right > e.closest(".tile, .card").getBoundingClientRect().right).map(e => e.textContent || "a bell of " + e.closest(".tile, .card").ariaLabel)`

// sameCursor compares the column of the cursor in all strips that are in sight.
func sameCursor(t *testing.T, b *browser, picture image.Image, beds int) {
	t.Helper()
	first := -1
	for i := range beds {
		strip := b.box(fmt.Sprintf("[data-bed=B%02d] .strip", i+1))
		if strip.Max.Y > picture.Bounds().Max.Y {
			continue
		}
		at := cursor(picture, strip)
		switch {
		case at < 0:
			t.Errorf("bed %d has no cursor", i+1)
		case first < 0:
			first = at
		case at < first-1 || at > first+1:
			t.Errorf("bed %d has its cursor at column %d, the first at %d", i+1, at, first)
		}
	}
}

// cursor is the column of a strip's cursor, a bright line over the whole
// height; -1 where there is none.
func cursor(picture image.Image, strip image.Rectangle) int {
	for x := strip.Min.X + 14; x < strip.Max.X; x++ {
		bright := 0
		for y := strip.Min.Y + 4; y < strip.Max.Y-4; y++ {
			if r, _, bl, _ := picture.At(x, y).RGBA(); r>>8 > 120 && bl>>8 > 120 {
				bright++
			}
		}
		if bright > (strip.Dy()-8)*4/5 {
			return x - strip.Min.X
		}
	}
	return -1
}

// everyState is sixteen beds, as the plan's picture has them.
func everyState() []*patient {
	names := []string{"Heron 27", "Maple 04", "Kestrel 19", "Otter 33", "Birch 11", "Finch 52", "Cedar 08", "Plover 41", "Aspen 16", "Wren 22", "Lark 30", "Rowan 65", "Swift 09", "Alder 73", "Robin 38"}
	rates := []float64{72, 64, 186, 88, 134, 81, 46, 76, 58, 0, 69, 70, 77, 92, 66}
	var ward []*patient
	for i, name := range names {
		ward = append(ward, bed(i+1, name, max(30, rates[i])))
	}
	raise := func(i int, priority topics.Priority, technical bool, rule, text string, ago time.Duration) {
		ward[i].alarm(&topics.AlarmState{
			Id: fmt.Sprint(i), Version: 1, Rule: rule, Priority: priority, Technical: technical, Text: text,
			Condition: topics.AlarmCondition_ALARM_CONDITION_ACTIVE, OnsetUs: time.Now().Add(-ago).UnixMicro(),
		})
	}
	ward[2].wave = tachycardia
	raise(2, topics.Priority_PRIORITY_HIGH, false, "vt", "VT 186 > 100", 18*time.Second)
	raise(4, topics.Priority_PRIORITY_MEDIUM, false, "hr.high", "HR 134 > 120", 66*time.Second)
	raise(6, topics.Priority_PRIORITY_MEDIUM, false, "hr.low", "HR 46 < 50", 36*time.Second)
	raise(7, topics.Priority_PRIORITY_LOW, false, "pvc", "PVC 14 > 10 /min", 271*time.Second)
	raise(9, topics.Priority_PRIORITY_MEDIUM, true, "lead-off", "LEAD OFF 0:42", 42*time.Second)
	ward[9].leadOff = true
	ward[9].quality = 0
	ward[11].bed.Paced = true
	ward[11].pace = 60.0 / 70
	ward[13].alarm(&topics.AlarmState{
		Id: "13", Version: 2, Rule: "asystole", Priority: topics.Priority_PRIORITY_HIGH, Text: "ASYSTOLE 4.9 > 4 s",
		Condition: topics.AlarmCondition_ALARM_CONDITION_LATCHED,
		OnsetUs:   time.Now().Add(-90 * time.Second).UnixMicro(), EndedUs: time.Now().Add(-80 * time.Second).UnixMicro(),
	})
	unassigned := bed(16, "", 84)
	unassigned.bed.Bed, unassigned.bed.Unit, unassigned.bed.Device, unassigned.bed.Unassigned = "", "unassigned", "3F2A", true
	return append(ward, unassigned)
}
