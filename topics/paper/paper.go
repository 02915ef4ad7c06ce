// Package paper draws a strip as on ECG paper: 25 mm a second and 10 mm a mV,
// lines each millimetre, as an SVG of true size.
package paper

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"

	"heartwire/topics"
)

// The paper's scale is that of every ECG (AHA/ACC/HRS recommendations 2007).
const (
	perSecond = 25.0 // mm
	perMV     = 10.0 // mm

	head, foot, side = 16.0, 10.0, 6.0 // mm about the strip
	room             = 7.0             // mm above a lead, for its name and its beats
	lowest, highest  = 25.0, 60.0      // mm of a lead; what is beyond is cut off

	joined = 100_000 // µs between two runs in which a lead was off that count as one
)

// row is a lead's part of the paper.
type row struct {
	name      string
	top, tall float64 // mm
	middle    float64 // µV at its middle
}

type paper struct {
	*bufio.Writer
	strip *topics.Strip
	rows  []row
	wide  float64
	tall  float64
}

// Write draws a strip. It names the patient's key and the alarm, and no person.
func Write(w io.Writer, strip *topics.Strip) error {
	p := paper{Writer: bufio.NewWriter(w), strip: strip, wide: float64(strip.GetToUs()-strip.GetFromUs()) / 1e6 * perSecond}
	top := head
	for _, name := range strip.LeadNames() {
		low, high := extent(strip, name)
		r := row{name: name, top: top + room, middle: (low + high) / 2, tall: min(max(math.Ceil((high-low)/1e3*perMV)+4, lowest), highest)}
		r.tall = math.Ceil(r.tall/5) * 5 // whole squares
		p.rows = append(p.rows, r)
		top = r.top + r.tall
	}
	if len(p.rows) == 0 {
		p.rows = []row{{top: top + room, tall: lowest}}
		top += room + lowest
	}
	p.tall = top + foot
	p.frame()
	for _, r := range p.rows {
		p.lead(r)
	}
	p.found()
	p.holes()
	p.onset()
	fmt.Fprintln(p, "</svg>")
	if err := p.Flush(); err != nil {
		return fmt.Errorf("draw a strip: %w", err)
	}
	return nil
}

// extent is where a lead's samples lie in µV, but for the outermost of them.
func extent(s *topics.Strip, lead string) (low, high float64) {
	var values []float64
	for _, uv := range s.Lead(lead) {
		if !math.IsNaN(uv) {
			values = append(values, uv)
		}
	}
	if len(values) == 0 {
		return 0, 0
	}
	slices.Sort(values)
	n := len(values) / 1000
	return values[n], values[len(values)-1-n]
}

// x is a time on the paper.
func (p *paper) x(us int64) float64 {
	return side + float64(us-p.strip.GetFromUs())/1e6*perSecond
}

func (p *paper) text(x, y float64, class, s string) {
	fmt.Fprintf(p, `<text x="%.2f" y="%.2f" class="%s">%s</text>`+"\n", x, y, class, html.EscapeString(s))
}

func (p *paper) frame() {
	s := p.strip
	top, bottom := p.rows[0].top, p.tall-foot
	fmt.Fprintf(p, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0fmm" height="%.0fmm" viewBox="0 0 %.0[1]f %.0[2]f" role="img" font-family="sans-serif" font-size="3.2">
<title>%s</title>
<style>.b{font-size:4.4px;font-weight:bold}.m{text-anchor:middle}.s{font-size:2.6px;fill:#444}.n{font-weight:bold;fill:#000;paint-order:stroke;stroke:#fff;stroke-width:.8}.f{text-anchor:middle;font-size:3px;fill:#00461c;paint-order:stroke;stroke:#fff;stroke-width:.6}.v{font-weight:bold;fill:#b00020}.o{fill:#b00020;text-anchor:middle}</style>
<defs><pattern id="mm" width="1" height="1" patternUnits="userSpaceOnUse" x="%[4]g" y="%[5]g"><path d="M1 0H0V1" fill="none" stroke="#f6cfc8" stroke-width=".1"/></pattern>
<pattern id="cm" width="5" height="5" patternUnits="userSpaceOnUse" x="%[4]g" y="%[5]g"><path d="M5 0H0V5" fill="none" stroke="#e79d92" stroke-width=".2"/></pattern>
<pattern id="hole" width="2" height="2" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V2" stroke="#555" stroke-width=".5"/></pattern></defs>
<rect width="100%%" height="100%%" fill="#fff"/>
`, p.wide+2*side, p.tall, html.EscapeString(s.GetText()+", "+s.GetPatient()), side, top)
	p.text(side, 6, "b", s.GetText())
	began := topics.MicroTime(s.GetOnsetUs())
	p.text(side, 11, "", fmt.Sprintf("%s   %s   %s   onset %s UTC   alarm %s", s.GetPatient(), strings.TrimPrefix(s.GetPriority().String(), "PRIORITY_"),
		s.GetRule(), began.Format("2006-01-02 15:04:05.000"), s.GetAlarm()))
	p.text(side, p.tall-2, "s", "25 mm/s, 10 mm/mV. N S V F Q: beats as they were told; | pace pulse; [ ] ventricular fibrillation or flutter. Heartwire is not a certified medical device.")
	for _, fill := range []string{"mm", "cm"} {
		fmt.Fprintf(p, `<rect x="%g" y="%g" width="%.2f" height="%.2f" fill="url(#%s)"/>`+"\n", side, top, p.wide, bottom-top, fill)
	}
	for us := s.GetFromUs(); us <= s.GetToUs(); us += 1e6 {
		label := "0 s"
		if n := int(math.Round(float64(us-s.GetOnsetUs()) / 1e6)); n != 0 {
			label = fmt.Sprintf("%+d s", n)
		}
		p.text(p.x(us), bottom+3.5, "s m", label)
	}
}

// lead draws the samples of a lead, a line for each stretch without a hole.
func (p *paper) lead(r row) {
	if r.name == "" {
		return
	}
	fmt.Fprintf(p, `<clipPath id="c%.0f"><rect x="%g" y="%.2f" width="%.2f" height="%.2f"/></clipPath><path clip-path="url(#c%.0[1]f)" fill="none" stroke="#000" stroke-width=".3" stroke-linejoin="round" d="`,
		r.top, side, r.top-room, p.wide, r.tall+room)
	pen := "M"
	for us, uv := range p.strip.Lead(r.name) {
		if math.IsNaN(uv) {
			pen = "M"
			continue
		}
		fmt.Fprintf(p, "%s%.2f %.2f", pen, p.x(us), r.top+r.tall/2-(uv-r.middle)/1e3*perMV)
		pen = "L"
	}
	fmt.Fprintln(p, `"/>`)
	p.off(r)
	p.text(side+1, r.top-2, "n", r.name)
}

// off marks where a lead was off.
func (p *paper) off(r row) {
	var from, to int64
	mark := func() {
		if from, to = max(from, p.strip.GetFromUs()), min(to, p.strip.GetToUs()); to > from {
			wide := p.x(to) - p.x(from)
			fmt.Fprintf(p, `<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f" fill="#888" fill-opacity=".35"/>`+"\n", p.x(from), r.top, wide, r.tall)
			p.text(p.x(from)+wide/2, r.top+r.tall/2, "n m", "lead off")
		}
	}
	for _, run := range p.strip.GetRuns() {
		if !slices.ContainsFunc(run.GetLeads(), func(l *topics.Lead) bool { return l.GetName() == r.name && l.GetOff() }) {
			continue
		}
		if run.GetTimeUs() > to+joined {
			mark()
			from = run.GetTimeUs()
		}
		to = run.EndUs()
	}
	mark()
}

// found writes what was found above the first lead.
func (p *paper) found() {
	y := p.rows[0].top - 2
	for _, a := range p.strip.GetAnnotations() {
		if a.GetLate() {
			continue
		}
		class, mark := "f", ""
		switch k := a.GetKind().(type) {
		case *topics.Annotation_Beat:
			mark = strings.TrimPrefix(k.Beat.GetClass().String(), "BEAT_CLASS_")
			if k.Beat.GetClass() == topics.BeatClass_BEAT_CLASS_V {
				class = "f v"
			}
		case *topics.Annotation_PacePulse:
			mark = "|"
		case *topics.Annotation_Fibrillation:
			if class, mark = "f v", "]"; k.Fibrillation.GetOn() {
				mark = "["
			}
		default:
			continue
		}
		p.text(p.x(a.GetTimeUs()), y, class, mark)
	}
}

func (p *paper) holes() {
	top, bottom := p.rows[0].top, p.tall-foot
	for _, h := range p.strip.GetHoles() {
		x, wide := p.x(h.GetFromUs()), float64(h.GetToUs()-h.GetFromUs())/1e6*perSecond
		fmt.Fprintf(p, `<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f" fill="url(#hole)" stroke="#555" stroke-width=".2"/>`+"\n", x, top, wide, bottom-top)
		p.text(x+wide/2, (top+bottom)/2, "n m", h.GetWhy())
	}
}

func (p *paper) onset() {
	x := p.x(p.strip.GetOnsetUs())
	fmt.Fprintf(p, `<path d="M%.2f %.2fV%.2f" stroke="#b00020" stroke-width=".4" stroke-dasharray="2 1"/>`+"\n", x, p.rows[0].top-room+1, p.tall-foot)
	p.text(x, p.rows[0].top-room-0.2, "o", "onset")
}
