package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"heartwire/pipeline/bridge/patch"
	"heartwire/topics/wfdb"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"heartwire": main,
	})
}

// TestCommands runs testdata/*.txt, sessions as a person would type them. Each
// finds recordings in $WORK/recordings.
func TestCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", UpdateScripts: os.Getenv("UPDATE") != "",
		Setup: func(e *testscript.Env) error { return writeRecordings(filepath.Join(e.WorkDir, "recordings")) },
	})
}

// writeRecordings makes a folder with a synthetic patient whose heart stands
// still for a while (stops, with its beats and rhythms in stops.atr), a recording
// of beats alone (beats.qrs), and one that is cut off (broken).
func writeRecordings(folder string) error {
	script, err := patch.Parse("40s sinus 72; 12s asystole; 30s sinus 72")
	if err != nil {
		return err
	}
	conf := patch.DefaultSynthConfig()
	conf.Script = script
	synth, err := patch.NewSynth(conf)
	if err != nil {
		return err
	}
	const n = 82 * 250
	var b patch.Block
	if err := synth.Read(&b, n); err != nil {
		return err
	}
	var signal []byte
	for i := range n {
		for _, lead := range b.Counts {
			signal = binary.LittleEndian.AppendUint16(signal, uint16(lead[i]))
		}
	}
	ref := []wfdb.Annotation{{Code: wfdb.Rhythm, Aux: "(N"}}
	beats := ref[:0:0]
	for _, e := range b.Events {
		switch {
		case e.Kind == patch.Beat:
			beat := wfdb.Annotation{Sample: int64(e.Sample), Code: wfdb.CodeOf(e.Class)}
			ref, beats = append(ref, beat), append(beats, beat)
		case e.Step.Rhythm.Kind == patch.Asystole:
			ref = append(ref, wfdb.Annotation{Sample: int64(e.Sample), Code: wfdb.Rhythm, Aux: "(ASYS"})
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	put := func(name string, data []byte) {
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), data, 0o644)
		}
	}
	sum := func(lead int) (s int16) {
		for _, c := range b.Counts[lead] {
			s += int16(c)
		}
		return s
	}
	put("stops.hea", fmt.Appendf(nil, "stops 2 250 %d\nstops.dat 16 200/mV 16 0 0 %d 0 II\nstops.dat 16 200/mV 16 0 0 %d 0 V1\n", n, sum(0), sum(1)))
	put("stops.dat", signal)
	put("broken.hea", fmt.Appendf(nil, "broken 1 250 %d\nbroken.dat 16 200/mV\n", n))
	put("broken.dat", signal[:1000])
	put("beats.hea", []byte("beats 0 250\n"))
	for name, list := range map[string][]wfdb.Annotation{"stops.atr": ref, "beats.qrs": beats, "beats.atr": ref} {
		if err == nil {
			err = wfdb.WriteAnnotations(filepath.Join(folder, name), list)
		}
	}
	return err
}
