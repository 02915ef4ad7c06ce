//go:build real

package page_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"heartwire/topics"
)

// browser is a tab of a Chromium with its default sound policy.
type browser struct {
	t   *testing.T
	ctx context.Context
}

// chromium opens url. It fails the test when there is no browser.
func chromium(t *testing.T, url string, width, height int64) *browser {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.NoFirstRun, chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("headless", true), chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.WindowSize(int(width), int(height)),
	}
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancelAllocator)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancelTime := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancelTime)
	b := &browser{t, ctx}
	b.do(chromedp.EmulateViewport(width, height), chromedp.Navigate(url))
	return b
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("chromium: %v", err)
	}
}

// js evaluates an expression.
func js[T any](b *browser, expression string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("chromium: %s: %v", expression, err)
	}
	return value
}

// until waits for an expression to be true and returns how long that took.
func (b *browser) until(expression string, within time.Duration) time.Duration {
	b.t.Helper()
	start := time.Now()
	for !js[bool](b, expression) {
		if time.Since(start) > within {
			b.shot("failed")
			b.t.Fatalf("after %v it is not true that %s; the page says:\n%s", within, expression, js[string](b, "document.body.innerText"))
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(start)
}

// shot is a picture of the page; it is kept in HEARTWIRE_SHOTS where that is set.
func (b *browser) shot(name string) image.Image {
	b.t.Helper()
	data, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatalf("chromium: %v", err)
	}
	if folder := os.Getenv("HEARTWIRE_SHOTS"); folder != "" {
		if err := os.WriteFile(filepath.Join(folder, name+".png"), data, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		b.t.Fatal(err)
	}
	return picture
}

func (b *browser) click() {
	b.t.Helper()
	b.do(chromedp.MouseClickXY(900, 500))
}

// box is where an element lies on the page.
func (b *browser) box(selector string) image.Rectangle {
	b.t.Helper()
	at := js[[]float64](b, fmt.Sprintf("(r => [r.left, r.top, r.right, r.bottom])(document.querySelector(%q).getBoundingClientRect())", selector))
	return image.Rect(int(at[0]), int(at[1]), int(at[2]), int(at[3]))
}

// green counts pixels of the trace's colour and its blends with the tile.
func green(picture image.Image, in image.Rectangle) int {
	n := 0
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			r, g, b, _ := picture.At(x, y).RGBA()
			if g>>8 > 80 && g > r*3/2 && g > b*5/4 {
				n++
			}
		}
	}
	return n
}

// changed counts pixels that differ.
func changed(a, b image.Image, in image.Rectangle) int {
	n := 0
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			if a.At(x, y) != b.At(x, y) {
				n++
			}
		}
	}
	return n
}

const noSound = `[...document.querySelectorAll(".banner b")].some(b => b.textContent === "NO SOUND")`

func text(selector string) string {
	return fmt.Sprintf("(document.querySelector(%q)?.textContent ?? '')", selector)
}

func TestWaveformMovesAndSoundNeedsAClick(t *testing.T) {
	f := newFake(t, bed(1, "Heron 27", 72), bed(2, "Maple 04", 64))
	b := chromium(t, f.URL, 1440, 900)
	b.until(`document.querySelectorAll(".tile").length === 2`, 5*time.Second)
	b.until(text("[data-bed=B01] .rate")+` === "72"`, 5*time.Second)
	if !js[bool](b, noSound) {
		t.Error("no NO SOUND banner before a click")
	}
	if width := b.box(".banner").Dx(); width != 1440 {
		t.Errorf("the banner is %d px wide, want the whole 1440", width)
	}
	if on, told := f.sound(); on || !told {
		t.Errorf("the server was told sound = %v (told %v), want false", on, told)
	}
	strip := b.box("[data-bed=B01] .strip")
	first := b.shot("moving-1")
	time.Sleep(700 * time.Millisecond)
	second := b.shot("moving-2")
	if n := green(first, strip); n < 300 {
		t.Errorf("%d trace-green pixels in the strip, want a trace", n)
	}
	if n := changed(first, second, strip); n < 100 {
		t.Errorf("%d pixels changed in 0.7 s: the strip does not move", n)
	}
	b.click()
	b.until("!("+noSound+")", 2*time.Second)
	time.Sleep(300 * time.Millisecond)
	if on, _ := f.sound(); !on {
		t.Error("the server was not told that sound is on")
	}
}

func TestAlarmIsShownAndHeard(t *testing.T) {
	p := bed(3, "Kestrel 19", 72)
	f := newFake(t, bed(1, "Heron 27", 72), p)
	b := chromium(t, f.URL, 1920, 1080)
	b.until(`document.querySelectorAll(".tile").length === 2`, 5*time.Second)
	js[int](b, watchAudio)
	b.click()
	b.until("!("+noSound+")", 2*time.Second)
	before := js[string](b, boxes)
	sent := time.Now()
	f.raise(p, &topics.AlarmState{
		Id: "a1", Version: 1, Rule: "asystole", Priority: topics.Priority_PRIORITY_HIGH, Text: "ASYSTOLE 4.9 > 4 s",
		Condition: topics.AlarmCondition_ALARM_CONDITION_ACTIVE, OnsetUs: time.Now().Add(-5 * time.Second).UnixMicro(),
	})
	b.until(text("[data-bed=B03].high > .bar .text")+` === "ASYSTOLE 4.9 > 4 s"`, time.Second)
	t.Logf("seen %v after it was sent, through the browser's debugger", time.Since(sent))
	b.until("window.tones >= 10", time.Second)
	b.until(text(".rail .card.high .text")+` === "ASYSTOLE 4.9 > 4 s"`, time.Second)
	if after := js[string](b, boxes); after != before {
		t.Errorf("tiles moved: %s, before %s", after, before)
	}
	bar := b.box("[data-bed=B03] > .bar")
	red := 0
	picture := b.shot("alarm")
	for x := bar.Min.X + 4; x < bar.Max.X-4; x++ {
		r, g, bl, _ := picture.At(x, bar.Min.Y+5).RGBA()
		if r>>8 >= 0x70 && g>>8 < 0x20 && bl>>8 < 0x28 {
			red++
		}
	}
	if red < bar.Dx()*9/10 {
		t.Errorf("%d of %d pixels of the bar are red", red, bar.Dx())
	}
	f.raise(p, &topics.AlarmState{
		Id: "a1", Version: 2, Rule: "asystole", Priority: topics.Priority_PRIORITY_HIGH, Text: "ASYSTOLE 4.9 > 4 s",
		Condition: topics.AlarmCondition_ALARM_CONDITION_ENDED, OnsetUs: time.Now().Add(-5 * time.Second).UnixMicro(), EndedUs: time.Now().UnixMicro(),
	})
	b.until(`document.querySelector(".card") === null && document.querySelector(".ended") !== null`, time.Second)
}

const (
	// watchAudio counts oscillators that were started.
	watchAudio = `window.tones = 0; { const start = OscillatorNode.prototype.start;
		OscillatorNode.prototype.start = function (...at) { window.tones++; return start.apply(this, at); }; } window.tones`
	boxes = `JSON.stringify([...document.querySelectorAll(".tile")].map(e => { const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; }))`
)

func TestAnUnknownPriorityIsHigh(t *testing.T) {
	p := bed(1, "Heron 27", 72)
	f := newFake(t, p)
	b := chromium(t, f.URL, 1440, 900)
	b.until(`document.querySelectorAll(".tile").length === 1`, 5*time.Second)
	f.raise(p, &topics.AlarmState{
		Id: "a1", Version: 1, Rule: "x", Priority: topics.Priority(9), Text: "SOMETHING 3 > 2",
		Condition: topics.AlarmCondition_ALARM_CONDITION_ACTIVE, OnsetUs: time.Now().UnixMicro(),
	})
	b.until(text(".tile.high > .bar .text")+` === "SOMETHING 3 > 2"`, time.Second)
	b.until(text(".rail footer")+`.includes("1 unknown priorities shown as HIGH")`, time.Second)
}

func TestStoppedFramesAreDelayedThenNoData(t *testing.T) {
	p := bed(11, "Lark 30", 69)
	f := newFake(t, bed(1, "Heron 27", 72), p)
	b := chromium(t, f.URL, 1440, 900)
	b.until(text("[data-bed=B11] .fresh")+`.startsWith("live")`, 5*time.Second)
	f.do(func() { p.silent = true })
	// The newest sample is up to a frame's length old when the frames stop.
	b.until(`document.querySelector("[data-bed=B11].is-delayed") !== null`, 2300*time.Millisecond)
	b.until(text("[data-bed=B11] .box b")+`.startsWith("DELAYED ")`, 100*time.Millisecond)
	time.Sleep(100 * time.Millisecond)
	tile := b.box("[data-bed=B11]")
	if n := green(b.shot("delayed"), tile); n > 0 {
		t.Errorf("%d trace-green pixels in a delayed tile", n)
	}
	b.until(text("[data-bed=B11] .bar .right")+`.startsWith("Values as of ")`, 100*time.Millisecond)
	b.until(`document.querySelector("[data-bed=B11].is-nodata") !== null`, 8*time.Second)
	b.until(text("[data-bed=B11] .rate")+` === "– – –"`, 100*time.Millisecond)
	b.until(text("[data-bed=B11] .box b")+`.startsWith("NO DATA 0:1")`, 100*time.Millisecond)
	time.Sleep(100 * time.Millisecond)
	picture := b.shot("no-data")
	if n := green(picture, tile); n > 0 {
		t.Errorf("%d trace-green pixels in a tile without data", n)
	}
	if n := green(picture, b.box("[data-bed=B01]")); n < 300 {
		t.Errorf("%d trace-green pixels in the tile beside it, which is live", n)
	}
}

func TestCutSocketIsSeenByThePageItself(t *testing.T) {
	for name, cut := range map[string]func(*fake){
		"closed": func(f *fake) { f.cut() },
		"mute":   func(f *fake) { f.do(func() { f.mute = true }) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, bed(1, "Heron 27", 72), bed(2, "Maple 04", 64))
			b := chromium(t, f.URL, 1440, 900)
			b.until(text("[data-bed=B01] .rate")+` === "72"`, 5*time.Second)
			js[int](b, watchAudio)
			b.click()
			b.until("!("+noSound+")", 2*time.Second)
			cut(f)
			start := time.Now()
			b.until(`[...document.querySelectorAll(".banner b")].some(b => b.textContent.startsWith("NOT CONNECTED 0:0"))`, 3300*time.Millisecond)
			t.Logf("banner after %v", time.Since(start))
			b.until(`document.querySelectorAll(".tile.is-notlive").length === 2`, 5300*time.Millisecond-time.Since(start))
			b.until("window.tones >= 2", 5500*time.Millisecond-time.Since(start))
			t.Logf("not live and heard after %v", time.Since(start))
			time.Sleep(100 * time.Millisecond)
			picture := b.shot("not-connected-" + name)
			for _, one := range []string{"B01", "B02"} {
				if n := green(picture, b.box("[data-bed="+one+"]")); n > 0 {
					t.Errorf("%d trace-green pixels in %s", n, one)
				}
			}
			f.do(func() { f.refusing, f.mute = false, false })
			b.until(`document.querySelectorAll(".tile.is-live").length === 2`, 15*time.Second)
		})
	}
}

func TestGapKeepsItsWidth(t *testing.T) {
	p := bed(1, "Heron 27", 72)
	f := newFake(t, p, bed(2, "Maple 04", 64))
	b := chromium(t, f.URL, 1920, 1080)
	b.until(text("[data-bed=B01] .rate")+` === "72"`, 5*time.Second)
	b.until(`document.querySelector("[data-bed=B01].is-live") !== null`, time.Second)
	f.do(func() { p.silent = true })
	time.Sleep(1400 * time.Millisecond)
	f.do(func() { p.silent = false })
	time.Sleep(1500 * time.Millisecond)
	strip := b.box("[data-bed=B01] .strip")
	picture := b.shot("gap")
	// The longest run of columns without trace, the erase bar's 15 px apart.
	width, longest := 0, 0
	for x := strip.Min.X + 16; x < strip.Max.X; x++ {
		width++
		if green(picture, image.Rect(x, strip.Min.Y, x+1, strip.Max.Y)) > 0 {
			width = 0
		}
		longest = max(longest, width)
	}
	// 7 frames of 0.2 s at 25 mm/s; the strip swept past the wrap may cut it in two.
	if longest < 128 || longest > 172 {
		t.Errorf("the longest stretch without trace is %d px, want 132 (7 frames) to 152 (8)", longest)
	}
}

func TestWardInEveryState(t *testing.T) {
	ward := everyState()
	f := newFake(t, ward...)
	b := chromium(t, f.URL, 1920, 1080)
	b.until(`document.querySelectorAll(".tile").length === 16`, 5*time.Second)
	b.click()
	f.do(func() { ward[10].silent = true })
	time.Sleep(5 * time.Second)
	b.until(`document.querySelector("[data-bed=B11].is-delayed") !== null`, time.Second)
	b.until(`document.querySelector("[data-bed=B10].is-leadoff") !== null`, time.Second)
	b.shot("ward")
	for _, key := range []string{"d"} {
		b.do(chromedp.KeyEvent(key))
	}
	time.Sleep(300 * time.Millisecond)
	b.shot("ward-night")
	// Nothing is cut off that says what and how bad.
	cut := js[[]string](b, `[...document.querySelectorAll(".bar .text, .rate, .limits, .box")].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)`)
	if len(cut) > 0 {
		t.Errorf("cut off: %q", cut)
	}
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
	latched := ward[13].alarm(&topics.AlarmState{
		Id: "13", Version: 2, Rule: "asystole", Priority: topics.Priority_PRIORITY_HIGH, Text: "ASYSTOLE 4.9 > 4 s",
		Condition: topics.AlarmCondition_ALARM_CONDITION_LATCHED,
		OnsetUs:   time.Now().Add(-90 * time.Second).UnixMicro(), EndedUs: time.Now().Add(-80 * time.Second).UnixMicro(),
	})
	_ = latched
	unassigned := bed(16, "", 84)
	unassigned.bed.Bed, unassigned.bed.Unit, unassigned.bed.Device, unassigned.bed.Unassigned = "", "unassigned", "3F2A", true
	return append(ward, unassigned)
}
