// Package page is the web page of the gateway, as built files embedded in the
// binary.
//
// Its sources are TypeScript in src; `npm ci && npm run build` writes dist from
// them, byte for byte the same each time, and dist is committed so that
// building Heartwire needs Go alone. DESIGN.md tells how the page is made.
package page

import (
	"embed"
	"io/fs"
)

//go:embed dist
var dist embed.FS

// Files is the page as a file system: index.html, its scripts, style and font.
// It asks for no other host and holds no inline script or style, so that it can
// be served with
//
//	Content-Security-Policy: default-src 'self'
//
// It opens a WebSocket to /v1/live on the host that served it.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("page: dist is not embedded: " + err.Error()) // cannot be: the path is a constant that embed has checked
	}
	return files
}
