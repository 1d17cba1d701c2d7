package labup

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
	"time"

	"sockeye"
	"sockeye/cmd/sockeye/labfile"
	"sockeye/cmd/sockeye/web"
)

// openWeb is a web server on the host.
func (h *host) openWeb(_ context.Context, on *sockeye.Host, p labfile.Program) (service, error) {
	listener, err := on.Listen("tcp", ":"+strconv.Itoa(int(p.Port)))
	if err != nil {
		return nil, err
	}
	handler, end := h.page(), func() error { return nil }
	if p.Dir != "" {
		dir := p.Dir
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(h.lab.Dir, dir)
		}
		site, err := web.Open(dir, web.Options{})
		if err != nil {
			listener.Close()
			return nil, err
		}
		handler, end = site, site.Close
	}
	return func(ctx context.Context) error {
		defer end()
		server := http.Server{
			Handler: handler, ReadHeaderTimeout: time.Minute,
			BaseContext: func(net.Listener) context.Context { return ctx },
		}
		defer context.AfterFunc(ctx, func() { server.Close() })()
		defer server.Close()
		return server.Serve(listener)
	}, nil
}

// mostBytes bounds what one request of /bytes asks for.
const mostBytes = 1 << 40

// page tells who asks, and sends as much as is asked for.
func (h *host) page() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		who := r.RemoteAddr
		if at, err := netip.ParseAddrPort(who); err == nil {
			if name := h.lab.owner(at.Addr()); name != "" {
				who = name + " at " + who
			}
		}
		fmt.Fprintf(w, "This is %s in the lab %s. You are %s.\nGET /bytes/1000000 sends a million bytes.\n", h.name, h.lab.File().Name, who)
	})
	mux.HandleFunc("GET /bytes/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
		if err != nil || n < 0 || n > mostBytes {
			http.Error(w, fmt.Sprintf("%q is no number of bytes; try /bytes/1000000", r.PathValue("n")), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		io.CopyN(w, endless{}, n)
	})
	return mux
}

// endless reads as the text of a source, for ever.
type endless struct{}

// Read implements io.Reader.
func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = pattern[i%len(pattern)]
	}
	return len(p), nil
}
