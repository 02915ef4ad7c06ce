//go:build real

package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"heartwire/stages/alarms/compare"
	"heartwire/test/real"
	"heartwire/test/real/servers"
	"heartwire/topics"
)

// tryRecordings back-tests a folder of recordings, and writes its page.
func tryRecordings(t *testing.T, folder, rules string) (r compare.Report, page string) {
	t.Helper()
	dir := t.TempDir()
	page = filepath.Join(dir, "report.html")
	args := []string{"backtest", "--in", filepath.Join(real.Data(t), folder), "--json", "--html", page}
	if rules != "" {
		file := filepath.Join(dir, "ward.yaml")
		if err := os.WriteFile(file, []byte(rules), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--rules", file)
	}
	var out, errOut strings.Builder
	if code := run(args, nil, &out, &errOut); code != 0 {
		t.Fatalf("exit code %d: %s", code, errOut.String())
	}
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		t.Fatal(err)
	}
	return r, page
}

// On the arrhythmia recordings, whose beats people have annotated, alarms on
// rates are nearly all true, and a wider limit loses what it should.
func TestBacktestOfAnnotatedRecordings(t *testing.T) {
	r, page := tryRecordings(t, "mitdb", "limits:\n  - {rule: hr.high, value: 130, duration: 10s}\n  - {rule: pvc, value: 6}\n")
	count := map[string]compare.Count{}
	yes, no := 0, 0
	for _, c := range r.ByRule {
		count[c.Rule] = c
		yes, no = yes+c.BaseTrue, no+c.BaseFalse
		t.Logf("%-16s %3d → %3d, gained %d, lost %d; base true %d, false %d", c.Rule, c.Base, c.Changed, c.Gained, c.Lost, c.BaseTrue, c.BaseFalse)
	}
	if !r.Annotated || r.Patients < 20 || yes < 5*no || yes < 100 {
		t.Errorf("%d recordings, %d true and %d false alarms", r.Patients, yes, no)
	}
	if c := count[topics.RuleHRHigh]; c.Base == 0 || c.Gained != 0 || c.Changed > c.Base {
		t.Errorf("hr.high wider: %+v", c)
	}
	if c := count[topics.RulePVC]; c.Changed < c.Base {
		t.Errorf("pvc narrower: %+v", c)
	}
	for _, rule := range []string{topics.RuleVF, topics.RuleVT, topics.RuleAsystole} { // nothing was changed of what is lethal
		if c := count[rule]; c.Gained+c.Lost+c.Other != 0 {
			t.Errorf("%s: %+v", rule, c)
		}
	}
	proposed(t, &r)
	shown(t, page)
}

// In the noise of intensive care some limits are for nothing.
func TestBacktestProposes(t *testing.T) {
	r, page := tryRecordings(t, "cinc2015vt", "")
	if len(r.Proposals) == 0 {
		t.Error("nothing is proposed")
	}
	proposed(t, &r)
	shown(t, page)
}

func proposed(t *testing.T, r *compare.Report) {
	t.Helper()
	for _, p := range r.Proposals {
		if !p.Harmless() || topics.FindBuiltIn(p.Rule).Lethal() || p.Spared < 3 || p.Raised >= p.Base {
			t.Errorf("proposed: %+v", p)
		}
		t.Logf("%s → %v (duration %t): %d instead of %d", p.Rule, p.To, p.Duration, p.Raised, p.Base)
	}
}

// shown opens a page in a browser: it draws, and asks for nothing but itself.
func shown(t *testing.T, page string) {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) }))
	defer server.Close()
	alloc, stop := chromedp.NewExecAllocator(t.Context(), chromedp.ExecPath(servers.Chromium(t)), chromedp.NoFirstRun, chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("headless", true), chromedp.Flag("disable-gpu", true))
	defer stop()
	tab, done := chromedp.NewContext(alloc)
	defer done()
	ctx, cancel := context.WithTimeout(tab, 2*time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1200, 900), chromedp.Navigate(server.URL)); err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]bool{
		`[...document.querySelectorAll("svg")].some(s => s.getBBox().width > 50)`:              true,
		`performance.getEntriesByType("resource").some(r => !r.name.endsWith("/favicon.ico"))`: false, // it has asked for something
		`document.documentElement.scrollWidth > innerWidth`:                                    false,
	} {
		if got, err := chromedp.Run(ctx, chromedp.Evaluate[bool](what)); err != nil || got != want {
			t.Errorf("%s: %t, %v", what, got, err)
		}
	}
}
