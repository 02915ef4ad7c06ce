package rules

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Problem is what is wrong with a rule, and where.
type Problem struct {
	Rule    string
	Field   string // when, clear, value, … ; empty: the rule as a whole
	Line    int    // in the expression, from 1; 0: the field as a whole
	Column  int    // in characters, from 1
	Message string // what is wrong and what to do
}

// Error is the problem in one line.
func (p *Problem) Error() string {
	var b strings.Builder
	if p.Rule != "" {
		fmt.Fprintf(&b, "rule %s: ", p.Rule)
	}
	switch {
	case p.Field == "":
	case p.Line > 0:
		fmt.Fprintf(&b, "%s %d:%d: ", p.Field, p.Line, p.Column)
	default:
		fmt.Fprintf(&b, "%s: ", p.Field)
	}
	return b.String() + p.Message
}

// durations are what people write for a time: 30s, 5min, 1h30min. CEL has no
// literal for it, so that none of what follows could be read otherwise.
var durations = regexp.MustCompile(`^(\d+(\.\d+)?(ms|min|[hms]))+`)

// source is an expression as CEL reads it, and the way back to what was written.
type source struct {
	text  string
	moved []move
}

// move is a replacement: in a line, from a column on, so much has become so much.
type move struct{ line, column, was, is int } // column in the new text, from 0

// lower writes durations in CEL: 30s is duration("30s").
func lower(text string) source {
	var b strings.Builder
	var s source
	line, column := 1, 0
	for i := 0; i < len(text); {
		if lit := durationAt(text, i); lit != "" {
			if d, err := time.ParseDuration(strings.ReplaceAll(lit, "min", "m")); err == nil {
				is := fmt.Sprintf("duration(%q)", d)
				s.moved = append(s.moved, move{line, column, len(lit), len(is)})
				b.WriteString(is)
				i, column = i+len(lit), column+len(is)
				continue
			}
		}
		n := 1
		if q := text[i]; q == '"' || q == '\'' {
			n = quoted(text[i:])
		} else if r, size := utf8.DecodeRuneInString(text[i:]); r >= utf8.RuneSelf {
			n = size
		}
		for _, r := range text[i : i+n] {
			if column++; r == '\n' {
				line, column = line+1, 0
			}
		}
		b.WriteString(text[i : i+n])
		i += n
	}
	s.text = b.String()
	return s
}

// durationAt is the duration that begins at i, where nothing that it could be
// part of stands before it.
func durationAt(text string, i int) string {
	if c := text[i]; c < '0' || c > '9' {
		return ""
	}
	if i > 0 && (isWord(text[i-1]) || text[i-1] == '.') {
		return ""
	}
	lit := durations.FindString(text[i:])
	if end := i + len(lit); end < len(text) && isWord(text[end]) {
		return ""
	}
	return lit
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// quoted is the length of the text in quotes that begins here.
func quoted(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return i + 1
		}
	}
	return len(text)
}

// at is where a place of the text for CEL is in what was written; line from 1,
// column from 0 there and from 1 here.
func (s *source) at(line, column int) (int, int) {
	back := 0
	for _, m := range s.moved {
		switch {
		case m.line != line || column < m.column:
		case column < m.column+m.is:
			return line, m.column - back + 1
		default:
			back += m.is - m.was
		}
	}
	return line, column - back + 1
}

// spell is a duration as people write it: 30s, 5min, 1h30min.
func spell(d time.Duration) string {
	if d < 0 {
		return "-" + spell(-d)
	}
	text := ""
	if h := d / time.Hour; h > 0 {
		text += fmt.Sprintf("%dh", h)
		d -= h * time.Hour
	}
	if m := d / time.Minute; m > 0 {
		text += fmt.Sprintf("%dmin", m)
		d -= m * time.Minute
	}
	if d > 0 || text == "" {
		text += d.String()
	}
	return text
}
