package page_test

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"path"
	"regexp"
	"testing"

	"heartwire/sinks/gateway/page"
)

// mostCompressed is the page's budget on the wire.
const mostCompressed = 400 << 10

func TestFilesAreComplete(t *testing.T) {
	for _, name := range []string{"index.html", "main.js", "worker.js", "style.css", "inter.woff2", "inter.LICENSE.txt", "icon.svg"} {
		if _, err := fs.Stat(page.Files(), name); err != nil {
			t.Errorf("%s is missing: run `npm ci && npm run build` in sinks/gateway/page: %v", name, err)
		}
	}
}

func TestSizeOnTheWire(t *testing.T) {
	var packed bytes.Buffer
	for _, content := range contents(t) {
		w := gzip.NewWriter(&packed)
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if packed.Len() > mostCompressed {
		t.Errorf("the page is %d bytes compressed, more than %d", packed.Len(), mostCompressed)
	}
}

// A page that asks another host fails in a hospital without a way out, and
// tells that host that it is watched.
func TestNoOtherHostAndNothingInline(t *testing.T) {
	address := regexp.MustCompile(`https?://[^\s"'` + "`" + `)]+`)
	inline := regexp.MustCompile(`<script(?:\s[^>]*)?>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`)
	harmless := regexp.MustCompile(`^http://www\.w3\.org/(2000/svg|1999/xhtml|1999/xlink|1998/Math/MathML)`)
	for name, content := range contents(t) {
		if path.Ext(name) == ".txt" || path.Ext(name) == ".woff2" {
			continue
		}
		for _, found := range address.FindAll(content, -1) {
			if !harmless.Match(found) {
				t.Errorf("%s names %s", name, found)
			}
		}
		if path.Ext(name) == ".html" && inline.Match(content) {
			t.Errorf("%s holds %q: the content security policy refuses it", name, inline.Find(content))
		}
	}
}

func contents(t *testing.T) map[string][]byte {
	t.Helper()
	contents := map[string][]byte{}
	err := fs.WalkDir(page.Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		contents[name], err = fs.ReadFile(page.Files(), name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return contents
}
