//go:build real

package page_test

import (
	"testing"
	"time"

	"heartwire/test/e2e"
)

// TestUpOnThePage opens what `heartwire up` serves: eight patients move, and
// within a minute one of them is in asystole, seen and heard.
func TestUpOnThePage(t *testing.T) {
	up := e2e.Start(t, "up", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--kafka-port", "0", "--mqtt-port", "0")
	address := up.Await(`page +(http://\S+)`, 30*time.Second)
	b := chromium(t, address, 1920, 1080)
	b.until(`document.querySelectorAll(".tile").length === 8`, 15*time.Second)
	js[int](b, watchAudio)
	b.click()
	b.until("!("+noSound+")", 5*time.Second)
	b.until(`!document.body.innerText.includes("– – –")`, 20*time.Second) // every heart has a rate
	for _, bed := range []string{"B01", "B08"} {
		b.moves(b.box("[data-bed=" + bed + "] .strip"))
	}
	b.until(`document.body.innerText.includes("ASYSTOLE")`, time.Minute)
	b.until("window.tones > 0", 5*time.Second)
	b.shot("up-alarm")
}
