package labhttp

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed page
var files embed.FS

// pages serves the page's files.
func pages() http.Handler {
	root, err := fs.Sub(files, "page")
	if err != nil {
		panic(err) // of a directory that is embedded
	}
	h := http.FileServerFS(root)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protective(w.Header())
		h.ServeHTTP(w, r)
	})
}

// protective keeps a page from loading, or being loaded by, anything else.
func protective(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}
