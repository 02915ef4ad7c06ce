package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"heartwire/stages/ec57"
	"heartwire/topics/wfdb"
)

func (a *app) scoreCommand() *cobra.Command {
	var run scoring
	cmd := &cobra.Command{
		Use:   "score --ref DIR --test DIR",
		Short: "Compare annotations with reference annotations, as EC57 prescribes",
		Long: `Score compares what was found in recordings with reference annotations, and
prints the tables that there is something to print for:

  beats      beat by beat: QRS complexes, and classes V and S; beats match within
             150 ms. Records with paced beats stay out of gross and average, beats
             in reference fibrillation are skipped, and time in which analysis was
             suspended counts as missed. Counts are those of bxb
  runs       ventricular couplets, runs of 3 to 5 and longer ones, as rxr
  vf         ventricular fibrillation and flutter by episode and duration, as epicmp
  af         atrial fibrillation likewise
  af-beats   is each beat in atrial fibrillation? Flutter is left out
  windows    are there ventricular fibrillation, flutter or tachycardia in 8 s?
             One window each second; mixed ones and (NOISE are left out
  vt-alarms  is a ventricular tachycardia alarm kept? --ref has alarms.csv with
             lines RECORD,1 (true) or RECORD,0 for an alarm at 5:00, --test has
             RECORD.alarms.jsonl: an alarm vt with its onset in 4:44 to 5:00 keeps it.
             Score: (TP+TN)/(TP+TN+FP+5 FN)

The tables beats to af begin at 5:00, for EC57 leaves 5 minutes for learning,
af-beats and windows at 0:00. --ref holds the headers (*.hea), too.

The annotations of a record are those of all files named by --test-ext that
are there; a record without one is left out and named.`,
		Example: `  heartwire annotate --in mitdb --out out --lead 0
  heartwire score --ref mitdb --test out
  heartwire score --ref mitdb --test out --from 0:00 --what beats
  heartwire score --ref mitdb --test golden --test-ext osea`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run.do(cmd.OutOrStdout(), cmd.ErrOrStderr()) },
	}
	f := cmd.Flags()
	f.StringVar(&run.ref, "ref", "", "the `folder` with recordings and reference annotations")
	f.StringVar(&run.test, "test", "", "the `folder` with what was found")
	f.StringVar(&run.refExt, "ref-ext", "atr", "the `extension` of reference annotations")
	f.StringSliceVar(&run.testExt, "test-ext", []string{extBeats, extRhythms}, "the `extensions` of what was found")
	f.StringVar(&run.from, "from", "", "score from this time on, such as `5:00` or 90s, in all tables")
	f.StringSliceVar(&run.what, "what", nil, "print these `tables` alone")
	f.BoolVar(&run.csv, "csv", false, "print table, record, statistic, numerator, denominator and percent with a comma between them")
	_ = cmd.MarkFlagRequired("ref")
	_ = cmd.MarkFlagRequired("test")
	return cmd
}

// scoring is what was typed, and what was read.
type scoring struct {
	ref, test, refExt, from string
	testExt, what           []string
	csv                     bool

	records []scored
}

// scored is a record with both sides of its annotations.
type scored struct {
	name      string
	rate      float64
	length    int // samples; 0 unknown
	ref, test []wfdb.Annotation
}

func (run *scoring) do(out, errOut io.Writer) error {
	for _, w := range run.what {
		if !slices.Contains(scoreTables, w) {
			return fmt.Errorf("--what %s: want %s", w, strings.Join(scoreTables, ", "))
		}
	}
	from := time.Duration(-1)
	if run.from != "" {
		var err error
		if from, err = parseOffset(run.from); err != nil {
			return fmt.Errorf("--from %s: want minutes and seconds such as 5:00, or a duration such as 90s", run.from)
		}
	}
	names, err := recordings(run.ref)
	if err != nil {
		return fmt.Errorf("--ref %w", err)
	}
	if _, err := os.Stat(run.test); err != nil {
		return fmt.Errorf("--test %w", err)
	}
	var without []string
	for _, name := range names {
		r, found, err := run.read(name)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		case !found:
			without = append(without, name)
		default:
			run.records = append(run.records, r)
		}
	}
	tables, err := run.tables(from)
	if err != nil {
		return err
	}
	if len(tables) == 0 {
		return fmt.Errorf("there is nothing to compare: --ref wants *.hea and *.%s or alarms.csv, --test wants *.%s or *.%s",
			run.refExt, strings.Join(run.testExt, " or *."), extAlarms)
	}
	if len(run.records) > 0 && len(without) > 0 {
		fmt.Fprintf(errOut, "left out, for one side has no annotations: %s\n", strings.Join(without, " "))
	}
	return run.print(out, tables)
}

// read reads both sides of a record; found is false where one has no file.
func (run *scoring) read(name string) (r scored, found bool, err error) {
	record, err := wfdb.Open(filepath.Join(run.ref, name))
	if err != nil {
		return r, false, err
	}
	r = scored{name: name, rate: record.Rate, length: record.Length}
	r.ref, err = wfdb.ReadAnnotations(filepath.Join(run.ref, name+"."+run.refExt))
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	} else if err != nil {
		return r, false, err
	}
	for _, ext := range run.testExt {
		list, err := wfdb.ReadAnnotations(filepath.Join(run.test, name+"."+ext))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return r, false, err
		}
		r.test, found = append(r.test, list...), true
	}
	slices.SortStableFunc(r.test, bySample)
	if !slices.IsSortedFunc(r.ref, bySample) {
		slices.SortStableFunc(r.ref, bySample)
	}
	return r, found, nil
}

func bySample(a, b wfdb.Annotation) int { return int(min(max(a.Sample-b.Sample, -1), 1)) }

// parseOffset reads m:ss, h:mm:ss or a duration.
func parseOffset(text string) (time.Duration, error) {
	parts := strings.Split(text, ":")
	if len(parts) == 1 {
		d, err := time.ParseDuration(text)
		if err == nil && d < 0 {
			err = errors.New("negative")
		}
		return d, err
	}
	var d time.Duration
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || len(parts) > 3 {
			return 0, errors.New("no time")
		}
		d = d*60 + time.Duration(n)*time.Second
	}
	return d, nil
}

// options are those of a table for one record.
func (r scored) options(from time.Duration) ec57.Options {
	o := ec57.FromStart(r.rate, r.length)
	o.Start = int64(from.Seconds()*r.rate + 0.5)
	return o
}
