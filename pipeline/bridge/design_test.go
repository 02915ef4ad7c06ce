package bridge

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What the page for device makers shows works, and it names every reason.
func TestProtocolPage(t *testing.T) {
	b, err := os.ReadFile("../../topics/DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	examples := regexp.MustCompile(`(?s)-t heartwire/v1/([^/]+)/(\w+) -m '(.*?)'`).FindAllStringSubmatch(page, -1)
	if len(examples) < 3 {
		t.Fatalf("%d examples, want one of each kind", len(examples))
	}
	for _, e := range examples {
		var err error
		switch kind, _ := ParseKind(e[2]); kind {
		case Frames:
			_, err = decodeFrame([]byte(e[3]), e[1])
		case Vitals:
			_, err = decodeVitals([]byte(e[3]), e[1])
		case Status:
			_, err = decodeStatus([]byte(e[3]), e[1])
		}
		if err != nil {
			t.Errorf("the example of %s: %v", e[2], err)
		}
	}
	for _, r := range Reasons() {
		if !strings.Contains(page, "`"+string(r)+"`") {
			t.Errorf("the reason %s is not on the page", r)
		}
	}
	for _, code := range regexp.MustCompile(`\b\d{4,5}-\d\b`).FindAllString(page, -1) {
		if !validLOINC(code) {
			t.Errorf("%s on the page is no LOINC number", code)
		}
	}
}
