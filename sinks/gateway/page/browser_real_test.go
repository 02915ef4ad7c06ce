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
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"heartwire/test/real/servers"
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
		chromedp.ExecPath(servers.Chromium(t)), chromedp.NoFirstRun, chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
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

// moves takes pictures until one differs from the first in part of the page, as
// a trace that is swept does soon, and returns it.
func (b *browser) moves(in image.Rectangle) image.Image {
	b.t.Helper()
	const enough, within = 100, 3 * time.Second
	first := b.shot("moving-1")
	for start := time.Now(); ; {
		next := b.shot("moving-2")
		n := changed(first, next, in)
		if n >= enough {
			return next
		}
		if time.Since(start) > within {
			b.t.Fatalf("%d pixels changed in %v: the strip does not move", n, within)
		}
	}
}

// bare takes pictures until one has no trace in some elements, at most for a
// second after the page has said why, and returns it.
func (b *browser) bare(name string, selectors ...string) image.Image {
	b.t.Helper()
	for start := time.Now(); ; {
		picture := b.shot(name)
		left := map[string]int{}
		for _, s := range selectors {
			if n := green(picture, b.box(s)); n > 0 {
				left[s] = n
			}
		}
		if len(left) == 0 {
			return picture
		}
		if time.Since(start) > time.Second {
			b.t.Fatalf("trace-green pixels where no trace may be (%s): %v", name, left)
		}
	}
}

// film keeps what the screen shows, also while the main thread hangs: a
// screenshot would wait for it.
type film struct {
	mu   sync.Mutex
	last []byte
	at   time.Time
}

// film starts filming.
func (b *browser) film() *film {
	b.t.Helper()
	f := &film{}
	frames := chromedp.Events(b.ctx, page.ScreencastFrame)
	always := true // the last picture too, after which nothing moves
	_, err := chromedp.Run(b.ctx, func(ctx context.Context, target *chromedp.Target) (cdp.Empty, error) {
		return cdp.Call(ctx, target, page.StartScreencast, page.StartScreencastParams{Format: page.StartScreencastFormatPng, SendLastFrame: &always})
	})
	if err != nil {
		b.t.Fatalf("chromium: %v", err)
	}
	go func() {
		for frame, err := range frames {
			if err != nil {
				return
			}
			f.mu.Lock()
			f.last, f.at = frame.Data, time.Now()
			f.mu.Unlock()
			_, _ = chromedp.Run(b.ctx, func(ctx context.Context, target *chromedp.Target) (cdp.Empty, error) {
				return cdp.Call(ctx, target, page.ScreencastFrameAck, page.ScreencastFrameAckParams{SessionID: frame.SessionID})
			})
		}
	}()
	return f
}

// newest is the last picture, and when it came.
func (f *film) newest(t *testing.T) (image.Image, time.Time) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	picture, err := png.Decode(bytes.NewReader(f.last))
	if err != nil {
		t.Fatal(err)
	}
	if folder := os.Getenv("HEARTWIRE_SHOTS"); folder != "" {
		_ = os.WriteFile(filepath.Join(folder, "hung.png"), f.last, 0o644)
	}
	return picture, f.at
}
