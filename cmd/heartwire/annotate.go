package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) annotateCommand() *cobra.Command {
	var run annotation
	cmd := &cobra.Command{
		Use:   "annotate --in DIR --out DIR",
		Short: "Run the stages over recordings and write what they find",
		Long: `Annotate runs the stages that watch patients, beats, rhythm and alarms with
their default limits, over every recording in WFDB format (*.hea) of a folder,
as if a patch had sent it: in frames of 250 ms, with a tick each second. It
needs no broker. For each recording it writes, over what an earlier run wrote:

  REC.hw            beats at their R peaks: N, S, V, F or Q, the classes of AAMI
                    EC57; Q is a paced beat, or one that cannot be classified
  REC.hwr           + changes of rhythm: (N (AFIB (SVTA (B (T (IVR (VT (VFL (VF
                      (ASYS; the rhythm in force is the worst that is there
                    [ ] ventricular fibrillation or flutter begins, ends
                    ~ subtype -1: from here no signal can be analysed; 0: again
                    " an alarm of the body begins here, with its text
  REC.alarms.jsonl  the alarms, a JSON object a line, in the order in which they
                    were decided:
    rule, priority, technical   as in the topic alarms; priority LOW, MEDIUM, HIGH
    text                        with value and limit: HR 134 > 120
    onset, onset_s              sample and seconds at which the condition began
    decided_s                   seconds of signal that had come when it was decided
    ended_s                     seconds at which the condition ended; none: it went on
    changes                     what became of it meanwhile: at_s, priority, text

Any PhysioNet tool reads the first two: rdann -r REC -a hw. Leads count from 0
and are those of the recording that are ECG, with auto the first 12. What waits for more when a
recording ends is said as if the link had dropped out.

With --beats it starts from beat annotations that are there, with their
classes, and needs no signals: several extensions are tried in order. A
recording without one of them, one without signals where --beats is not given,
and one that cannot be read are named; the others go on, and the exit code is 1.

The same input gives the same files, whatever --workers is.`,
		Example: `  heartwire annotate --in mitdb --out out --lead 0
  heartwire annotate --in afdb --out out --beats qrsc,qrs`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := a.load()
			if err != nil {
				return err
			}
			run.beatsConf = conf.Beats
			return run.do(cmd.Context(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&run.in, "in", "", "the `folder` with the recordings")
	f.StringVar(&run.out, "out", "", "the `folder` to write to; it is made if it is not there")
	f.StringVar(&run.lead, "lead", "auto", "analyse this lead alone, a `number` from 0; auto: all, and the stage chooses")
	f.StringSliceVar(&run.beats, "beats", nil, "start from annotations with this `extension`, such as qrs")
	f.IntVar(&run.workers, "workers", runtime.GOMAXPROCS(0), "recordings at one time")
	_ = cmd.MarkFlagRequired("in")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}

// do annotates the folder. Recordings that fail are told as they do.
func (run *annotation) do(ctx context.Context, errOut io.Writer) error {
	if run.workers < 1 || run.workers > 1024 {
		return fmt.Errorf("--workers %d: want 1 to 1024", run.workers)
	}
	if run.lead != "auto" {
		n, err := strconv.Atoi(run.lead)
		if err != nil || n < 0 {
			return fmt.Errorf("--lead %s: want auto, or a number from 0", run.lead)
		}
		run.only = &n
	}
	names, err := recordings(run.in)
	if err != nil {
		return fmt.Errorf("--in %w", err)
	}
	if err := os.MkdirAll(run.out, 0o755); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	// The heap is a few MB: the collector would else run all the time.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	began, used := time.Now(), cpuSeconds()
	sum, failed := run.all(ctx, names, errOut)
	if err := ctx.Err(); err != nil {
		return err
	}
	fmt.Fprintln(errOut, sum.line(time.Since(began), cpuSeconds()-used))
	if failed > 0 {
		return fmt.Errorf("%d of %d recordings could not be annotated", failed, len(names))
	}
	return nil
}

// recordings are the names of the recordings in a folder, in order.
func recordings(folder string) ([]string, error) {
	if _, err := os.Stat(folder); err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(folder), "*.hea"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no recording (*.hea) is there", folder)
	}
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(filepath.Base(p), ".hea")
	}
	return paths, nil
}

// all annotates recordings side by side.
func (run *annotation) all(ctx context.Context, names []string, errOut io.Writer) (sum annotated, failed int) {
	var mu sync.Mutex
	began, told := time.Now(), time.Now()
	done := 0
	every, before, after := 5*time.Second, "", "\n"
	if isTerminal(errOut) {
		every, before, after = 200*time.Millisecond, "\r\x1b[K", ""
	}
	finished := func(name string, one annotated, err error) {
		mu.Lock()
		defer mu.Unlock()
		done++
		if err != nil {
			failed++
			fmt.Fprintf(errOut, "%s%s: %v\n", before, name, err)
		} else {
			sum.add(one)
		}
		if time.Since(told) >= every {
			told = time.Now()
			fmt.Fprintf(errOut, "%s%d of %d recordings, %.1f/s%s", before, done, len(names), float64(done)/time.Since(began).Seconds(), after)
		}
	}
	work := make(chan string)
	var workers sync.WaitGroup
	for range min(run.workers, len(names)) {
		workers.Go(func() {
			for name := range work {
				one, err := run.one(ctx, name)
				finished(name, one, err)
			}
		})
	}
	for _, name := range names {
		if ctx.Err() != nil {
			break
		}
		work <- name
	}
	close(work)
	workers.Wait()
	fmt.Fprint(errOut, before)
	return sum, failed
}

// annotated is what came of one recording, or of many.
type annotated struct {
	recordings, beats, alarms int
	seconds, hidden           float64 // of signal
	leadHours                 float64
}

func (s *annotated) add(o annotated) {
	s.recordings += o.recordings
	s.beats += o.beats
	s.alarms += o.alarms
	s.seconds += o.seconds
	s.hidden += o.hidden
	s.leadHours += o.leadHours
}

func (s annotated) line(took time.Duration, cpu float64) string {
	text := fmt.Sprintf("%d recordings of %.2f h together: %d beats, %d alarms", s.recordings, s.seconds/3600, s.beats, s.alarms)
	if s.seconds > 0 {
		text += fmt.Sprintf(", analysis suspended %.2f %% of the time", 100*s.hidden/s.seconds)
	}
	text += fmt.Sprintf("; %.1f s, %.1f recordings/s", took.Seconds(), float64(s.recordings)/took.Seconds())
	if s.leadHours > 0 {
		text += fmt.Sprintf(", %.3f CPU s an hour of one lead", cpu/s.leadHours)
	}
	return text
}

// cpuSeconds is what this process has used.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

var errNoSignals = errors.New("it has no signals: name the annotations to start from with --beats, such as --beats qrs")
