//go:build real

package page_test

import (
	"fmt"
	"image"
	"math"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"heartwire/topics"
)

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
	if n := green(b.moves(strip), strip); n < 300 {
		t.Errorf("%d trace-green pixels in the strip, want a trace", n)
	}
	b.click()
	b.until("!("+noSound+")", 2*time.Second)
	f.hears(t, true, 2*time.Second)
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
	b.until(text("[data-bed=B03].high > .bar .text")+` === "ASYSTOLE 4.9 > 4 s"`, 3*time.Second)
	t.Logf("seen %v after it was sent, through the browser's debugger", time.Since(sent))
	b.until("window.tones >= 10", 3*time.Second)
	b.until(text(".rail .card.high .text")+` === "ASYSTOLE 4.9 > 4 s"`, 3*time.Second)
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
	b.until(`document.querySelector(".card") === null && document.querySelector(".ended") !== null`, 3*time.Second)
}

const (
	// watchAudio keeps the begin and end (s of the audio clock) and pitch (Hz) of each tone that is scheduled.
	watchAudio = `window.tones = 0; window.pulses = []; {
		const start = OscillatorNode.prototype.start, stop = OscillatorNode.prototype.stop;
		OscillatorNode.prototype.start = function (at) { window.tones++; window.clock = () => this.context.currentTime; window.pulses.push([at, 0, this.frequency.value]); this.pulse = window.pulses.at(-1); start.call(this, at); };
		OscillatorNode.prototype.stop = function (at) { this.pulse[1] = at; stop.call(this, at); };
	} window.tones`
	boxes = `JSON.stringify([...document.querySelectorAll(".tile")].map(e => { const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; }))`
)

// TestHighSoundsAsItMust compares what is scheduled on the audio clock with the
// table: 10 pulses of 120 ms as 3 + 2, 3 + 2, then 5 s of rest, and again.
func TestHighSoundsAsItMust(t *testing.T) {
	p := bed(3, "Kestrel 19", 72)
	f := newFake(t, p)
	b := chromium(t, f.URL, 1440, 900)
	b.until(`document.querySelectorAll(".tile").length === 1`, 5*time.Second)
	js[int](b, watchAudio)
	b.click()
	b.until("!("+noSound+")", 2*time.Second)
	f.raise(p, &topics.AlarmState{
		Id: "a1", Version: 1, Rule: "vt", Priority: topics.Priority_PRIORITY_HIGH, Text: "VT 186 > 100",
		Condition: topics.AlarmCondition_ALARM_CONDITION_ACTIVE, OnsetUs: time.Now().UnixMicro(),
	})
	b.until("window.tones >= 20", 10*time.Second)
	pulses := js[[][]float64](b, "window.pulses")
	spaces := []float64{100, 100, 320, 100, 600, 100, 100, 320, 100, 5000}
	for i := range 19 {
		if length := (pulses[i][1] - pulses[i][0]) * 1000; math.Abs(length-120) > 10 {
			t.Errorf("pulse %d is %.0f ms long, want 120", i+1, length)
		}
		if space, want := (pulses[i+1][0]-pulses[i][1])*1000, spaces[i%10]; math.Abs(space-want) > 10 {
			t.Errorf("after pulse %d there are %.0f ms, want %.0f", i+1, space, want)
		}
		if pitch := pulses[i][2]; math.Abs(pitch-660) > 6.6 {
			t.Errorf("pulse %d has %.0f Hz, want 660", i+1, pitch)
		}
	}
}

func TestFlashesKeepTheirRates(t *testing.T) {
	f := newFake(t, bed(1, "Heron 27", 72))
	b := chromium(t, f.URL, 1440, 900)
	b.until(`document.querySelectorAll(".tile").length === 1`, 5*time.Second)
	js[int](b, `window.bright = {high: [], medium: []}; {
		const root = document.documentElement;
		new MutationObserver(all => all.forEach(one => {
			const name = one.attributeName.split("-")[1];
			if (!root.hasAttribute(one.attributeName) && one.oldValue !== null) window.bright[name].push(performance.now());
		})).observe(root, {attributes: true, attributeOldValue: true, attributeFilter: ["data-high-dim", "data-medium-dim"]});
	} 0`)
	time.Sleep(10 * time.Second)
	for _, flash := range []struct {
		name      string
		low, high float64 // Hz
	}{{"high", 1.9, 2.1}, {"medium", 0.55, 0.65}} {
		hz := js[float64](b, fmt.Sprintf("(a => (a.length - 1) / (a[a.length - 1] - a[0]) * 1000)(window.bright.%s)", flash.name))
		if hz < flash.low || hz > flash.high {
			t.Errorf("%s flashes at %.2f Hz, want %v to %v", flash.name, hz, flash.low, flash.high)
		}
	}
	// A busy machine runs a timer up to 100 ms late, and the next one in time.
	most := js[int](b, `(all => Math.max(...all.map(t => all.filter(u => u >= t && u < t + 900).length)))([...window.bright.high, ...window.bright.medium])`)
	if most > 3 {
		t.Errorf("%d changes to bright in one second, want at most 3", most)
	}
}

func TestAnUnknownPriorityIsHigh(t *testing.T) {
	p := bed(1, "Heron 27", 72)
	f := newFake(t, p)
	b := chromium(t, f.URL, 1440, 900)
	b.until(`document.querySelectorAll(".tile").length === 1`, 5*time.Second)
	f.raise(p, &topics.AlarmState{
		Id: "a1", Version: 1, Rule: "x", Priority: topics.Priority(9), Text: "SOMETHING 3 > 2",
		Condition: topics.AlarmCondition_ALARM_CONDITION_ACTIVE, OnsetUs: time.Now().UnixMicro(),
	})
	b.until(text(".tile.high > .bar .text")+` === "SOMETHING 3 > 2"`, 3*time.Second)
	b.until(text(".rail footer")+`.includes("1 unknown priorities shown as HIGH")`, 3*time.Second)
}

func TestStoppedFramesAreDelayedThenNoData(t *testing.T) {
	p := bed(11, "Lark 30", 69)
	f := newFake(t, bed(1, "Heron 27", 72), p)
	b := chromium(t, f.URL, 1440, 900)
	b.until(text("[data-bed=B11] .fresh")+`.startsWith("live")`, 5*time.Second)
	f.do(func() { p.silent = true })
	// The newest sample is up to a frame's length old when the frames stop.
	b.until(`document.querySelector("[data-bed=B11].is-delayed") !== null`, 2300*time.Millisecond)
	b.until(text("[data-bed=B11] .box b")+`.startsWith("DELAYED ")`, time.Second)
	b.bare("delayed", "[data-bed=B11]")
	b.until(text("[data-bed=B11] .bar .right")+`.startsWith("Values as of ")`, time.Second)
	b.until(`document.querySelector("[data-bed=B11].is-nodata") !== null`, 8*time.Second)
	b.until(text("[data-bed=B11] .rate")+` === "– – –"`, time.Second)
	b.until(text("[data-bed=B11] .box b")+`.startsWith("NO DATA 0:1")`, time.Second)
	picture := b.bare("no-data", "[data-bed=B11]")
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
			b.bare("not-connected-"+name, "[data-bed=B01]", "[data-bed=B02]")
			f.do(func() { f.refusing, f.mute = false, false })
			b.until(`document.querySelectorAll(".tile.is-live").length === 2`, 15*time.Second)
		})
	}
}

// A main thread that hangs cannot sound and cannot show an alarm: the worker
// takes the trace away and tells the server.
func TestHungPageIsNotLive(t *testing.T) {
	f := newFake(t, bed(1, "Heron 27", 72), bed(2, "Maple 04", 64))
	b := chromium(t, f.URL, 1440, 900)
	b.until(text("[data-bed=B01] .rate")+` === "72"`, 5*time.Second)
	b.click()
	b.until("!("+noSound+")", 2*time.Second)
	film := b.film()
	strip := b.box("[data-bed=B01] .strip")
	js[int](b, `setTimeout(() => { const end = performance.now() + 7500; while (performance.now() < end); }, 0)`)
	start := time.Now()
	f.hears(t, false, 5500*time.Millisecond)
	t.Logf("told after %v", time.Since(start))
	for {
		picture, at := film.newest(t)
		n := green(picture, strip)
		if n == 0 {
			t.Logf("without trace %v after the page hung", at.Sub(start))
			break
		}
		if time.Since(start) > 6500*time.Millisecond {
			t.Errorf("%d trace-green pixels in the strip of a page that hangs, in a picture %v after that", n, at.Sub(start))
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.until(`document.querySelectorAll(".tile.is-live").length === 2 && !(`+noSound+")", 3*time.Second)
	f.hears(t, true, 2*time.Second)
}

// As wide as the time that is missing, where it is missing. Which frames are
// left out is chosen by where the sweep will put them: in the strip's first
// part, so that no wrap cuts them in two and the sweep is long in coming back.
func TestGapKeepsItsWidth(t *testing.T) {
	const pxPerMs, traceLeft, frames = 25 * 96 / 25.4 / 1000, 14, 7
	p := bed(1, "Heron 27", 72)
	f := newFake(t, p, bed(2, "Maple 04", 64))
	b := chromium(t, f.URL, 1920, 1080)
	b.until(text("[data-bed=B01] .rate")+` === "72"`, 5*time.Second)
	strip := b.box("[data-bed=B01] .strip")
	period := float64(strip.Dx()-traceLeft) / pxPerMs
	var left int // column of the first sample that is left out
	f.do(func() {
		first := p.next
		for ; left < 60 || left > 160; first += 50 {
			left = traceLeft + int(math.Mod(float64(p.at(first).UnixMicro())/1000, period)*pxPerMs)
			p.without.from, p.without.to = first, first+50*frames
		}
	})
	right := left + int(math.Round(frames*float64(frameTime.Milliseconds())*pxPerMs))
	end := p.at(p.without.to)
	time.Sleep(time.Until(end)) // the page is behind that by a frame and 0.2 s
	look := func(name string) {
		t.Helper()
		for {
			picture := b.shot(name)
			// That the cursor is beyond the gap and the trace stands on both sides of it says that it is drawn.
			if at := cursor(picture, strip); at > right+40 && whole(picture, strip, left-40, left-4) && whole(picture, strip, right+4, right+36) {
				from, to := hole(picture, strip, (left+right)/2)
				t.Logf("%s: no trace in columns %d to %d, want %d to %d", name, from, to, left, right)
				if from < left-2 || from > left+2 || to < right-2 || to > right+2 {
					t.Errorf("%s: no trace in columns %d to %d (%d px), want %d to %d (%d px)", name, from, to, to-from, left, right, right-left)
				}
				return
			}
			if time.Since(end).Seconds()*1000 > period-1000 {
				t.Fatalf("%s: the strip did not show a trace before and after the gap until the sweep came back to it", name)
			}
		}
	}
	look("gap")
	// Colours that change and change back draw the whole strip anew.
	b.do(chromedp.KeyEvent("d"), chromedp.KeyEvent("d"))
	look("gap-again")
}

// whole reports whether each of some columns of a strip holds a piece of the trace.
func whole(picture image.Image, strip image.Rectangle, from, to int) bool {
	for x := from; x < to; x++ {
		if green(picture, column(strip, x)) == 0 {
			return false
		}
	}
	return true
}

// hole is the stretch of columns without trace about one of them, empty where it has trace.
func hole(picture image.Image, strip image.Rectangle, middle int) (from, to int) {
	for from = middle; from > 0 && green(picture, column(strip, from-1)) == 0; from-- {
	}
	for to = middle; to < strip.Dx() && green(picture, column(strip, to)) == 0; to++ {
	}
	return from, to
}

func column(strip image.Rectangle, x int) image.Rectangle {
	return image.Rect(strip.Min.X+x, strip.Min.Y, strip.Min.X+x+1, strip.Max.Y)
}
