package sheet

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// colours are told apart by those who do not see red from green, and in grey.
var colours = [...]string{"#8895a7", "#b4541a", "#2f6f9f", "#d9a321"}

// Bars are horizontal bars, one or more for each label: how many of each.
type Bars struct {
	Title  string
	Unit   string
	Series []string // what the bars of a label are; one: not named
	Labels []string
	Values [][]float64 // by label, then by series
	Stack  bool        // they stand one behind the other
}

const (
	barHeight = 13
	labelRoom = 150
	plotWidth = 420
	tailRoom  = 60
)

func (b Bars) svg() template.HTML {
	most := 0.0
	for _, v := range b.Values {
		sum := 0.0
		for _, x := range v {
			if b.Stack {
				sum += x
			} else {
				sum = max(sum, x)
			}
		}
		most = max(most, sum)
	}
	rows := len(b.Series)
	if b.Stack {
		rows = 1
	}
	step := rows*barHeight + 8
	top := 24
	if len(b.Series) > 1 {
		top = 44
	}
	var d drawing
	d.open(labelRoom+plotWidth+tailRoom, top+step*len(b.Labels)+4, b.Title)
	d.legend(b.Series, 22)
	for i, label := range b.Labels {
		y := top + i*step
		d.text(labelRoom-6, float64(y)+float64(rows*barHeight)/2+4, "end", "", label)
		x := float64(labelRoom)
		for k, v := range b.Values[i] {
			w := 0.0
			if most > 0 {
				w = v / most * plotWidth
			}
			if !b.Stack {
				x, y = labelRoom, top+i*step+k*barHeight
			}
			d.rect(x, float64(y), w, barHeight-2, k)
			if x += w; !b.Stack {
				d.text(x+4, float64(y)+10, "start", "quiet", short(v))
			}
		}
		if b.Stack {
			sum := 0.0
			for _, v := range b.Values[i] {
				sum += v
			}
			d.text(x+4, float64(y)+10, "start", "quiet", short(sum))
		}
	}
	return d.close()
}

// Columns are vertical bars over an order: hours, days. Several series are stacked.
type Columns struct {
	Title  string
	Series []string
	Labels []string
	Values [][]float64 // by label, then by series
}

func (c Columns) svg() template.HTML {
	const left, height = 46, 150
	most := 0.0
	for _, v := range c.Values {
		sum := 0.0
		for _, x := range v {
			sum += x
		}
		most = max(most, sum)
	}
	top := 30
	if len(c.Series) > 1 {
		top = 48
	}
	scale, ticks := axis(most)
	width := float64(plotWidth+labelRoom) / float64(max(len(c.Labels), 1))
	width = min(width, 60)
	var d drawing
	d.open(left+int(width*float64(len(c.Labels)))+12, top+height+24, c.Title)
	d.legend(c.Series, 22)
	for _, t := range ticks {
		y := float64(top+height) - t/scale*height
		d.line(left, y, left+width*float64(len(c.Labels)), y)
		d.text(left-6, y+4, "end", "quiet", short(t))
	}
	each := max(1, (len(c.Labels)*34)/max(1, int(width*float64(len(c.Labels)))))
	for i, label := range c.Labels {
		x, y := left+float64(i)*width, float64(top+height)
		for k, v := range c.Values[i] {
			h := v / scale * height
			y -= h
			d.rect(x+width*0.12, y, width*0.76, h, k)
		}
		if i%each == 0 {
			d.text(x+width/2, float64(top+height)+15, "middle", "quiet", label)
		}
	}
	return d.close()
}

// Curve is how a number falls as a limit is widened, as steps that are marked.
type Curve struct {
	Title string
	X     string // what is widened, with its unit
	Lines []Line
	Mark  float64 // an X that is marked with its name; NaN: none
	Name  string
}

// Line is one of a Curve's: points in the order of X.
type Line struct {
	Name string
	X, Y []float64
}

func (c Curve) svg() template.HTML {
	const left, width, height, top = 46, 300, 130, 48
	lo, hi, most := math.Inf(1), math.Inf(-1), 0.0
	var names []string
	for _, l := range c.Lines {
		names = append(names, l.Name)
		for i := range l.X {
			lo, hi, most = min(lo, l.X[i]), max(hi, l.X[i]), max(most, l.Y[i])
		}
	}
	if hi <= lo {
		hi = lo + 1
	}
	scale, ticks := axis(most)
	at := func(x, y float64) (float64, float64) {
		return left + 8 + (x-lo)/(hi-lo)*(width-16), top + height - y/scale*height
	}
	var d drawing
	d.open(left+width+16, top+height+38, c.Title)
	d.legend(names, 22)
	for _, t := range ticks {
		_, y := at(lo, t)
		d.line(left, y, left+width, y)
		d.text(left-6, y+4, "end", "quiet", short(t))
	}
	if c.Mark == c.Mark && c.Mark >= lo && c.Mark <= hi {
		x, _ := at(c.Mark, 0)
		fmt.Fprintf(&d.b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#1a2330" stroke-dasharray="3 3"/>`, x, x, top, top+height)
		d.text(min(x+4, left+width-60), top+11, "start", "strong", c.Name)
	}
	for k, l := range c.Lines {
		var points []string
		for i := range l.X {
			x, y := at(l.X[i], l.Y[i])
			points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
			fmt.Fprintf(&d.b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`, x, y, colours[k%len(colours)])
			if k == 0 {
				d.text(x, top+height+15, "middle", "quiet", short(l.X[i]))
			}
		}
		fmt.Fprintf(&d.b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`, strings.Join(points, " "), colours[k%len(colours)])
	}
	d.text(left+width/2, top+height+32, "middle", "quiet", c.X)
	return d.close()
}

// axis is a round top of an axis that starts at 0, with its ticks.
func axis(most float64) (top float64, ticks []float64) {
	if !(most > 0) {
		return 1, []float64{0, 1}
	}
	step := math.Pow(10, math.Floor(math.Log10(most)))
	switch {
	case most/step <= 2:
		step /= 2
	case most/step > 5:
		step *= 2
	}
	for v := 0.0; ; v += step {
		ticks = append(ticks, v)
		if v >= most {
			return v, ticks
		}
	}
}

// short is a number with as many digits as a label has room for.
func short(v float64) string {
	switch {
	case math.Abs(v) >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// drawing is an SVG being drawn.
type drawing struct{ b strings.Builder }

func (d *drawing) open(width, height int, title string) {
	fmt.Fprintf(&d.b, `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="%s" width="%d" height="%d" viewBox="0 0 %[2]d %[3]d">`,
		template.HTMLEscapeString(title), width, height)
	d.text(0, 13, "start", "strong", title)
}

func (d *drawing) close() template.HTML {
	d.b.WriteString("</svg>")
	return template.HTML(d.b.String()) // each text in it has been escaped
}

func (d *drawing) text(x, y float64, anchor, class, text string) {
	fmt.Fprintf(&d.b, `<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`, x, y, anchor, class, template.HTMLEscapeString(text))
}

func (d *drawing) rect(x, y, w, h float64, series int) {
	fmt.Fprintf(&d.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, x, y, max(w, 0), max(h, 0), colours[series%len(colours)])
}

func (d *drawing) line(x1, y1, x2, y2 float64) {
	fmt.Fprintf(&d.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#d8dee6"/>`, x1, y1, x2, y2)
}

// legend names the series, where there are several.
func (d *drawing) legend(series []string, y float64) {
	if len(series) < 2 {
		return
	}
	x := 0.0
	for k, name := range series {
		d.rect(x, y, 10, 10, k)
		d.text(x+14, y+9, "start", "quiet", name)
		x += 34 + 6.4*float64(len(name))
	}
}
