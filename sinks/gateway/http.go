package gateway

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// server is the HTTP server: the page, /v1/live, the API, /healthz and /readyz.
func (g *Gateway) server() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/live", g.live)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !g.ready.Load() {
			unavailable(w, "the log is still being read")
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.HandleFunc("GET /", g.serveAsset)
	g.api(mux)
	var h http.Handler = mux
	if g.users != nil {
		h = g.users.guard(h)
	} else {
		h = g.local(h)
	}
	return &http.Server{
		Handler:           g.headers(h),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
	}
}

// headers keep the page to itself: it loads nothing from elsewhere, nobody
// frames it, and no address of it goes to anyone.
func (g *Gateway) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; script-src 'self'; worker-src 'self'; connect-src 'self'; style-src 'self'; "+
			"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		if g.cfg.TLS.CertFile != "" {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// local lets in what asks for this machine by name. Without credentials the
// address alone protects the data, and a page of a stranger whose name has
// been pointed at 127.0.0.1 comes from this machine's own browser.
func (g *Gateway) local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if !loopback(strings.Trim(host, "[]")) && !g.listed(func(u *url.URL) bool { return strings.EqualFold(u.Host, r.Host) }) {
			http.Error(w, "this server answers to localhost; other names belong in gateway.origins", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// sameOrigin lets in programs, which send no Origin, pages of this server and
// pages of the origins in the Config.
func (g *Gateway) sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	return strings.EqualFold(u.Host, r.Host) ||
		g.listed(func(l *url.URL) bool { return l.Scheme == u.Scheme && strings.EqualFold(l.Host, u.Host) })
}

func (g *Gateway) listed(is func(*url.URL) bool) bool {
	for _, o := range g.cfg.Origins {
		if u, err := url.Parse(o); err == nil && is(u) {
			return true
		}
	}
	return false
}

// asset is a file of the page.
type asset struct {
	body []byte
	mime string
	etag string
}

// mimes are stated here: the machine's own table differs from one to the next.
var mimes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".json": "application/json", ".map": "application/json", ".webmanifest": "application/manifest+json",
	".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
}

func loadAssets(files fs.FS) (map[string]asset, error) {
	all := make(map[string]asset)
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		mime := mimes[path.Ext(name)]
		if mime == "" {
			mime = "application/octet-stream"
		}
		sum := sha256.Sum256(body)
		all["/"+name] = asset{body: body, mime: mime, etag: `"` + hex.EncodeToString(sum[:12]) + `"`}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	index, ok := all["/index.html"]
	if !ok {
		return nil, fmt.Errorf("read the page: there is no index.html")
	}
	all["/"] = index
	return all, nil
}

// serveAsset serves the page. A browser asks each time whether a file has
// changed: a page of the build before must not talk to this one.
func (g *Gateway) serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := g.assets[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.mime)
	h.Set("ETag", a.etag)
	h.Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}

// hijack hands gorilla/websocket the connection by way of replies.
type hijack struct {
	http.ResponseWriter
	door *replies
}

func (h hijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.door.Conn = conn
	return h.door, rw, nil
}
