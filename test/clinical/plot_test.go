//go:build real

package clinical

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"heartwire/topics/wfdb"
)

// Colours as on ECG paper: the signal in black, what the reference says in
// blue above it, what Heartwire says in green below that, and errors in red.
var (
	paperFine = color.RGBA{R: 250, G: 226, B: 222, A: 255}
	paperBold = color.RGBA{R: 240, G: 180, B: 172, A: 255}
	inkSignal = color.RGBA{A: 255}
	inkRef    = color.RGBA{R: 20, G: 60, B: 190, A: 255}
	inkTest   = color.RGBA{G: 110, B: 40, A: 255}
	inkWrong  = color.RGBA{R: 210, A: 255}
)

const (
	perSecond = 25 * vg.Millimeter // as on paper
	perMV     = 10 * vg.Millimeter
	marksMV   = 1.8 // room above the signal for four lines of text
	margin    = 0.9 // s to the left of the signal, for names
	tallest   = 4.0 // mV of a lead that are shown; more is drawn smaller
)

// paper is the grid of ECG paper: 40 ms and 0.1 mV, bold at 200 ms and 0.5 mV.
type paper struct{}

func (paper) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, bold := range []bool{false, true} {
		style, dx, dy := draw.LineStyle{Color: paperFine, Width: vg.Points(0.3)}, 0.04, 0.1
		if bold {
			style, dx, dy = draw.LineStyle{Color: paperBold, Width: vg.Points(0.6)}, 0.2, 0.5
		}
		for v := math.Ceil(p.X.Min/dx) * dx; v <= p.X.Max; v += dx {
			c.StrokeLine2(style, x(v), c.Min.Y, x(v), c.Max.Y)
		}
		for v := math.Ceil(p.Y.Min/dy) * dy; v <= p.Y.Max; v += dy {
			c.StrokeLine2(style, c.Min.X, y(v), c.Max.X, y(v))
		}
	}
}

// draw writes the strip around a miss as a PNG.
func (m miss) draw(path string) error {
	from := max(m.middle-strip/2, 0)
	to := min(from+strip, float64(m.length)/m.rate)
	leads, names, err := m.signals(from, to)
	if err != nil {
		return err
	}
	p := plot.New()
	p.X.Min, p.X.Max = from-margin, to
	p.X.Tick.Marker = plot.TickerFunc(func(_, high float64) (ticks []plot.Tick) {
		for s := math.Ceil(from); s <= high; s++ {
			ticks = append(ticks, plot.Tick{Value: s, Label: clock(s)})
		}
		return ticks
	})
	p.HideY()
	p.Add(paper{})
	base := 0.0
	for i, lead := range leads {
		low, high := bounds(lead)
		base -= high
		line := make(plotter.XYs, len(lead))
		for k, v := range lead {
			line[k] = plotter.XY{X: from + float64(k)/m.rate, Y: base + v}
		}
		l, err := plotter.NewLine(line)
		if err != nil {
			return err
		}
		l.LineStyle = draw.LineStyle{Color: inkSignal, Width: vg.Points(0.8)}
		p.Add(l)
		if err := write(p, names[i], from-margin+0.05, base, inkSignal); err != nil {
			return err
		}
		base += low - 0.2
	}
	p.Y.Min, p.Y.Max = base, marksMV
	if err := m.marks(p, from, to); err != nil {
		return err
	}
	return save(p, path, vg.Length(to-from+margin)*perSecond, vg.Length(marksMV-base)*perMV)
}

func save(p *plot.Plot, path string, width, height vg.Length) error {
	c := vgimg.NewWith(vgimg.UseWH(width+12*vg.Millimeter, height+10*vg.Millimeter), vgimg.UseDPI(110))
	p.Draw(draw.New(c))
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// signals are the leads between two times, in mV, with their names.
func (m miss) signals(from, to float64) (leads [][]float64, names []string, err error) {
	r, err := wfdb.Open(m.path)
	if err != nil {
		return nil, nil, err
	}
	var columns []int
	ecg := r.Leads()
	for i, s := range r.Signals {
		if s.ECG() {
			columns = append(columns, i)
			names = append(names, ecg[len(names)])
		}
	}
	leads = make([][]float64, len(columns))
	n := 0
	for row, err := range r.Rows() {
		if err != nil {
			return nil, nil, err
		}
		at := float64(n) / r.Rate
		n++
		if at < from {
			continue
		}
		if at >= to {
			break
		}
		for i, c := range columns {
			v := math.NaN()
			if s := r.Signals[c]; row[c] != wfdb.Missing {
				v = float64(int(row[c])-s.Baseline) * s.MicrovoltsPerCount() / 1000
			}
			leads[i] = append(leads[i], v)
		}
	}
	for _, lead := range leads {
		centre(lead)
	}
	return leads, names, nil
}

// centre takes the median away, so that leads stand one below the other, and
// puts what is missing in its place.
func centre(lead []float64) {
	sorted := slices.Sorted(slices.Values(slices.DeleteFunc(slices.Clone(lead), math.IsNaN)))
	if len(sorted) == 0 {
		sorted = []float64{0}
	}
	middle := sorted[len(sorted)/2]
	for i, v := range lead {
		if math.IsNaN(v) {
			v = middle
		}
		lead[i] = min(max(v-middle, -tallest/2), tallest/2)
	}
}

func bounds(lead []float64) (low, high float64) {
	return min(slices.Min(lead), -0.5), max(slices.Max(lead), 0.5) + 0.1
}

// marks writes four lines above the signal: rhythm and beats by the reference,
// rhythm and beats as they were said.
func (m miss) marks(p *plot.Plot, from, to float64) error {
	wrong := make(map[int64]bool)
	if m.folder == "mitdb" { // the only set with reference beats
		for _, e := range m.beatErrors() {
			wrong[e.sample], wrong[e.said] = true, true
		}
	}
	for _, side := range []struct {
		name        string
		list        []wfdb.Annotation
		rhythm, row float64
		ink         color.Color
	}{{"reference", m.ref, 1.35, 1.05, inkRef}, {"heartwire", m.test, 0.7, 0.4, inkTest}} {
		rhythm, changes := "", to
		if err := write(p, side.name, from-margin+0.05, side.rhythm, side.ink); err != nil {
			return err
		}
		for _, a := range side.list {
			at := float64(a.Sample) / m.rate
			_, beat := a.Code.Class()
			switch {
			case a.Code == wfdb.Rhythm && at < from:
				rhythm = a.Aux
				continue
			case at < from || at >= to:
				continue
			}
			ink, text, y := side.ink, a.Code.String(), side.row
			switch {
			case a.Code == wfdb.Rhythm:
				text, y, changes = "|"+a.Aux, side.rhythm, min(changes, at)
			case a.Code == wfdb.Note:
				continue
			case wrong[a.Sample]:
				ink = inkWrong
			case !beat && a.Code != wfdb.VFOn && a.Code != wfdb.VFOff && a.Code != wfdb.Noise && a.Code != wfdb.Flutter:
				continue
			}
			if err := write(p, text, at, y, ink); err != nil {
				return err
			}
		}
		if rhythm != "" && changes > from+0.7 { // there is room for it
			if err := write(p, rhythm, from, side.rhythm, side.ink); err != nil {
				return err
			}
		}
	}
	if m.folder == "cinc2015vt" {
		return write(p, "alarm of the monitor at 5:00 |", alarmTo-2.3, 1.05, inkRef)
	}
	return nil
}

func write(p *plot.Plot, text string, x, y float64, ink color.Color) error {
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: x, Y: y}}, Labels: []string{text}})
	if err != nil {
		return err
	}
	labels.TextStyle[0].Color = ink
	labels.TextStyle[0].Font.Size = vg.Points(10)
	p.Add(labels)
	return nil
}

func clock(s float64) string { return fmt.Sprintf("%d:%02d", int(s)/60, int(s)%60) }
