package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"heartwire/pipeline"
)

// lookOn runs a replay and tells how far it is: in one line that is written over
// where a person looks on, else in one each 5 s.
func lookOn(ctx context.Context, errOut io.Writer, run *pipeline.Replay) error {
	began := time.Now()
	every, before, after := 5*time.Second, "", "\n"
	if isTerminal(errOut) {
		every, before, after = 200*time.Millisecond, "\r\x1b[K", ""
	}
	done := make(chan error, 1)
	go func() { done <- run.Run(ctx) }()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			fmt.Fprint(errOut, before, bar(run.Progress(), time.Since(began)), after)
		case err := <-done:
			fmt.Fprint(errOut, before)
			if err == nil {
				fmt.Fprintln(errOut, summary(run.Progress(), time.Since(began)))
			}
			return err
		}
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// bar is how far a replay is, in one line.
func bar(p pipeline.Progress, took time.Duration) string {
	if p.Records == 0 {
		return "restoring states"
	}
	const width = 20
	full := min(int(p.Share*width), width)
	return fmt.Sprintf("%s%s %3.0f %%  %d records  %.0f records/s  %d patients  %s",
		strings.Repeat("█", full), strings.Repeat("░", width-full), 100*p.Share, p.Records,
		float64(p.Records)/took.Seconds(), p.Patients, p.Reached.Format("2006-01-02 15:04:05Z"))
}

// summary is what a replay has done.
func summary(p pipeline.Progress, took time.Duration) string {
	s := fmt.Sprintf("%d records read, %d said, %.1f s, %.0f records/s", p.Records, p.Said, took.Seconds(), float64(p.Records)/took.Seconds())
	if p.Rejected > 0 {
		s += fmt.Sprintf(", %d could not be folded", p.Rejected)
	}
	return s
}
