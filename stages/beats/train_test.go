//go:build train

package beats

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"heartwire/stages/trees"
)

// job is one lead of one recording from which features are taken by the very
// code that watches patients. train.py writes a list of them to the file
// named by HEARTWIRE_TRAIN.
type job struct {
	Signal string  `json:"signal"` // file of little-endian float32, mV
	Rate   float64 `json:"rate"`   // Hz
	Models string  `json:"models"` // folder with judge.trees, v.trees and s.trees, those that are there
	Out    string  `json:"out"`    // begin of the names of the files that are written
}

// rows are written as little-endian float32.
type rows struct {
	w *bufio.Writer
	f *os.File
	t *testing.T
}

func newRows(t *testing.T, path string) *rows {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return &rows{bufio.NewWriterSize(f, 1<<16), f, t}
}

func (r *rows) add(values ...float32) {
	var b [4]byte
	for _, v := range values {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
		r.w.Write(b[:])
	}
}

func (r *rows) close() {
	if err := r.w.Flush(); err != nil {
		r.t.Error(err)
	}
	if err := r.f.Close(); err != nil {
		r.t.Error(err)
	}
}

func forest(t *testing.T, path string) *trees.Forest {
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := trees.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// run writes for each candidate: its sample, 1 if a rule takes it for a beat,
// features; and for each beat: its sample, template, how many that has seen,
// odds of V and S, features.
func (j job) run(t *testing.T) {
	raw, err := os.ReadFile(j.Signal)
	if err != nil {
		t.Fatal(err)
	}
	judged, classed := newRows(t, j.Out+".judge"), newRows(t, j.Out+".class")
	defer judged.close()
	defer classed.close()
	m := &models{}
	if j.Models != "" {
		m.judge = forest(t, filepath.Join(j.Models, "judge.trees"))
		m.v, m.s = forest(t, filepath.Join(j.Models, "v.trees")), forest(t, filepath.Join(j.Models, "s.trees"))
	}
	tr := newTracker()
	tr.lead = 0
	tr.read.models = m
	m.seen = func(c *candidate, x []float32) {
		learned := float32(0)
		if tr.read.own.learned() {
			learned = 1
		}
		judged.add(float32(tr.sample(c.r)), learned)
		judged.add(x...)
	}
	m.read = func(c *candidate, b beat, x []float32) {
		seen := float32(0)
		if c.template >= 0 {
			seen = float32(tr.read.own.list[c.template].n)
		}
		classed.add(float32(tr.sample(c.r)), float32(c.template), seen, b.v, b.s)
		classed.add(x...)
	}
	tr.restart(newKernel(j.Rate), 0)
	for i := 0; i+4 <= len(raw); i += 4 {
		tr.take([]float32{math.Float32frombits(binary.LittleEndian.Uint32(raw[i:]))})
		tr.read.ready = tr.read.ready[:0]
	}
	tr.finish()
}

func TestTrain(t *testing.T) {
	path := os.Getenv("HEARTWIRE_TRAIN")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal("HEARTWIRE_TRAIN names no list of jobs: ", err)
	}
	var list []job
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for _, j := range list {
		all.Add(1)
		places <- struct{}{}
		go func() {
			defer all.Done()
			defer func() { <-places }()
			j.run(t)
		}()
	}
	all.Wait()
	names, err := json.Marshal(map[string][]string{
		"judge": append(append([]string{"sample", "learned"}, lookNames[:]...), judgeNames[:]...),
		"class": append(append([]string{"sample", "template", "seen", "v", "s"}, lookNames[:]...), classNames[:]...),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".names", names, 0o644); err != nil {
		t.Fatal(err)
	}
}
