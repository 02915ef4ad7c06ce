// Package sheet is a report as people read it: tables, with figures beside them,
// as text for a terminal or as one HTML file that asks no host for anything and
// prints well. It knows nothing of what the numbers mean.
package sheet

import (
	"fmt"
	"html/template"
	"io"
	"strings"
	"text/tabwriter"
)

// Sheet is a report.
type Sheet struct {
	Title string
	Lead  []string // what stands above: of what, and what is to be known of it
	Parts []Part
	Notes []string // what stands below
}

// Part is one table, with figures that only HTML shows.
type Part struct {
	Title   string
	Words   string
	Table   Table
	Figures []Figure
	Empty   string // what is said where the table has no rows
}

// Table is rows of text. Those after the first Names columns are numbers, to the right.
type Table struct {
	Head  []string
	Names int
	Rows  [][]string
}

// Figure draws itself as SVG.
type Figure interface{ svg() template.HTML }

// WriteText prints the sheet for a terminal.
func (s *Sheet) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintln(&b, s.Title)
	for _, line := range s.Lead {
		fmt.Fprintln(&b, line)
	}
	for _, p := range s.Parts {
		fmt.Fprintf(&b, "\n%s\n", strings.ToUpper(p.Title))
		if p.Words != "" {
			fmt.Fprintln(&b, p.Words)
		}
		if len(p.Table.Rows) == 0 {
			if p.Empty != "" {
				fmt.Fprintln(&b, p.Empty)
			}
			continue
		}
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, strings.ToUpper(strings.Join(p.Table.Head, "\t")))
		for _, row := range p.Table.Rows {
			fmt.Fprintln(t, strings.Join(row, "\t"))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if len(s.Notes) > 0 {
		fmt.Fprintln(&b)
	}
	for _, line := range s.Notes {
		fmt.Fprintln(&b, line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteHTML writes one file that stands alone.
func (s *Sheet) WriteHTML(w io.Writer) error { return page.Execute(w, s) }

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"draw":   func(f Figure) template.HTML { return f.svg() },
	"number": func(t Table, column int) bool { return column >= t.Names },
}).Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{.Title}}</title>
<style>
:root { color-scheme: light; --ink: #1a2330; --quiet: #5b6675; --line: #d8dee6; --base: #8895a7; --other: #b4541a; }
* { box-sizing: border-box }
body { font: 15px/1.45 system-ui, "Liberation Sans", Arial, sans-serif; color: var(--ink); background: #fff; max-width: 70rem; margin: 2rem auto; padding: 0 1.25rem }
h1 { font-size: 1.6rem; margin: 0 0 .5rem } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem }
p { margin: .3rem 0; max-width: 48rem } .lead, .notes { color: var(--quiet) }
.wide { overflow-x: auto; margin: .7rem 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: .22rem .5rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top }
th { font-weight: 600; color: var(--quiet); border-bottom: 2px solid var(--line) }
td:first-child, .n { white-space: nowrap } .n { text-align: right } th.n { white-space: normal } tbody tr:hover { background: #f5f7fa }
figure { margin: .8rem 1.2rem .8rem 0; display: inline-block; vertical-align: top; max-width: 100% }
svg { max-width: 100%; height: auto } svg text { font: 12px system-ui, "Liberation Sans", Arial, sans-serif; fill: var(--ink) }
svg .quiet { fill: var(--quiet) } svg .strong { font-weight: 600 }
.notes { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: .7rem; font-size: .9rem }
@media print {
  body { max-width: none; margin: 0; padding: 0; font-size: 9pt } th, td { padding: .1rem .3rem; font-size: 7.5pt } td:first-child { white-space: normal } h2 { break-after: avoid } figure, tr { break-inside: avoid }
  thead { display: table-header-group } .wide { overflow: visible } tbody tr:hover { background: none } @page { margin: 15mm }
}
</style>
<h1>{{.Title}}</h1>
{{range .Lead}}<p class="lead">{{.}}</p>
{{end}}{{range .Parts}}<section>
<h2>{{.Title}}</h2>
{{with .Words}}<p>{{.}}</p>
{{end}}{{range .Figures}}<figure>{{draw .}}</figure>
{{end}}{{$t := .Table}}{{if $t.Rows}}<div class="wide"><table>
<thead><tr>{{range $i, $h := $t.Head}}<th{{if number $t $i}} class="n"{{end}}>{{$h}}</th>{{end}}</tr></thead>
<tbody>
{{range $t.Rows}}<tr>{{range $i, $c := .}}<td{{if number $t $i}} class="n"{{end}}>{{$c}}</td>{{end}}</tr>
{{end}}</tbody></table></div>
{{else}}<p class="lead">{{.Empty}}</p>
{{end}}</section>
{{end}}{{with .Notes}}<div class="notes">
{{range .}}<p>{{.}}</p>
{{end}}</div>
{{end}}</html>
`))
