//go:build linux

package servers

import (
	"testing"

	"heartwire/test/real"
)

// Chromium is the path of the browser.
func Chromium(t testing.TB) string {
	t.Helper()
	path, err := look("chromium", "chromium-browser", "google-chrome")
	real.Need(t, "chromium", err)
	return path
}
