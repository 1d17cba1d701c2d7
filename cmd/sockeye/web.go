package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"sockeye"
	"sockeye/cmd/sockeye/web"
)

// A webSite is the options of web.
type webSite struct {
	service
	dir     string
	quiet   bool
	maxSize string
	tls     serverTLS
	site    web.Options
	server  web.Server
}

func (a *app) webCommand() *cobra.Command {
	srv := webSite{service: service{a: a}}
	cmd := &cobra.Command{
		Use:   "web DIR [ADDR]",
		Short: "Serve a folder to browsers and other HTTP clients, and take uploads if they may",
		Example: `  sockeye web .                               # at http://localhost:8080/
  sockeye web ~/Pictures 8000                 # for all who can reach this machine
  sockeye web . --upload                      # take files: curl -T file http://localhost:8080/
  sockeye web . --tls                         # https, with a certificate made for the occasion
  sockeye web . unix:/tmp/web                 # curl --unix-socket /tmp/web http://localhost/
  sockeye web . --json | jq .path             # the access log`,
		Long: `Files come with ranges, ETags and compression, folders with their index.html or a page of
what is in them (as JSON for who accepts that). What begins with a dot is not served, and
nothing outside of DIR is, whatever links lead to. HTTP/1.1 and HTTP/2 are spoken, both with and
without --tls. Clients that are too slow are cut off.

The access log goes to standard output, in the combined log format. It runs until Ctrl-C, lets
requests that are under way end for ten seconds, and ends with the exit status 0.`,
		Args:        arguments("DIR", "[ADDR]"),
		Annotations: map[string]string{"exit": exitStatus, "try": "sockeye web ."},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return nil, cobra.ShellCompDirectiveFilterDirs
			}
			return completeAddress(cmd, args[1:], part)
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			srv.dir = args[0]
			at := "localhost:8080"
			if len(args) > 1 {
				at = args[1]
			}
			if srv.at, err = parseStream("web", at); err != nil {
				return err
			}
			var ok bool
			if srv.site.UploadLimit, ok = parseSize(srv.maxSize); !ok {
				return usage("--max-size wants bytes, as 500k, 100M or 2G, and %q is not", srv.maxSize)
			}
			if err := refuse(
				srv.noPath(),
				conflict{cmd.Flags().Changed("max-size") && !srv.site.Upload, "--max-size is for uploads; add --upload"},
				conflict{srv.server.MaxConns < 1, "--connections is how many there may be at once, and is at least 1"},
				conflict{strings.ContainsFunc(srv.site.Cache, func(r rune) bool { return r < ' ' }), "--cache is a line, as max-age=3600"},
			); err != nil {
				return err
			}
			if srv.server.TLS, err = srv.tls.config(a); err != nil {
				return err
			}
			return srv.serve(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&srv.force, "force", "f", false, "take over a unix path that a dead program left behind")
	flags.BoolVarP(&srv.quiet, "quiet", "q", false, "no access log")
	flags.BoolVar(&srv.site.Hidden, "hidden", false, "serve what begins with a dot, too")
	flags.BoolVar(&srv.site.Upload, "upload", false, "take files, by PUT or from the form on a folder's page; what is there stays")
	flags.StringVar(&srv.maxSize, "max-size", "1G", "the most bytes of an upload")
	flags.StringVar(&srv.site.Cache, "cache", "no-cache", "Cache-Control of files")
	flags.IntVar(&srv.server.MaxConns, "connections", 10_000, "how many there may be at once")
	srv.tls.flags(cmd)
	return cmd
}

func (srv *webSite) serve(ctx context.Context) error {
	site, err := web.Open(srv.dir, srv.site)
	if err != nil {
		return failure{"serve " + srv.dir, err}
	}
	defer site.Close()
	l, tidy, err := srv.a.netListener(ctx, srv.at, srv.force)
	if err != nil {
		return err
	}
	defer tidy()
	if dir, err := filepath.Abs(srv.dir); err == nil {
		srv.dir = dir
	}
	srv.a.console.event(event{Event: "serving", Address: srv.url(l), Target: srv.dir})
	srv.server.Handler = site
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !srv.quiet {
		var mu sync.Mutex
		srv.server.Log = func(r web.Request) {
			mu.Lock()
			defer mu.Unlock()
			if err := srv.tell(r); err != nil {
				cancel(err)
			}
		}
	}
	if !srv.a.json {
		srv.server.Errors = prefixed{srv.a.console}
	}
	if err := srv.server.Serve(ctx, l); err != nil && ctx.Err() == nil {
		return failure{srv.at.String(), err}
	}
	if err := context.Cause(ctx); errors.Is(err, errStdout) {
		return err
	}
	return nil
}

// url is where a browser finds the site.
func (srv *webSite) url(l net.Listener) string {
	scheme := "http"
	if srv.server.TLS != nil {
		scheme = "https"
	}
	if srv.at.Family == sockeye.AF_UNIX {
		return scheme + "://localhost/"
	}
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); ip.IsUnspecified() || ip.IsLoopback() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/"
}

// tell writes a line of the access log: the combined format of Apache and others, or JSON.
func (srv *webSite) tell(r web.Request) error {
	if srv.a.json {
		return srv.a.object(r)
	}
	peer, _, err := net.SplitHostPort(r.Peer)
	if err != nil {
		peer = "-" // a unix socket without a name
	}
	return srv.a.output(fmt.Appendf(nil, "%s - - [%s] %q %d %d %q %q\n", peer, r.Time.Format("02/Jan/2006:15:04:05 -0700"),
		r.Method+" "+r.Path+" "+r.Proto, r.Status, r.Bytes, orDash(r.From), orDash(r.Agent)))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// parseSize reads a number of bytes, with a unit of a thousand, a million ... bytes.
func parseSize(text string) (int64, bool) {
	number := strings.TrimRight(text, "kKmMgGtT")
	unit := text[len(number):]
	n, err := strconv.ParseInt(number, 10, 64)
	factor, ok := map[string]int64{"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}[strings.ToLower(unit)]
	return n * factor, ok && err == nil && n > 0 && n <= 1<<62/factor
}

// prefixed writes lines as the console's own.
type prefixed struct{ w io.Writer }

func (p prefixed) Write(b []byte) (int, error) { return p.w.Write(append([]byte("sockeye: "), b...)) }
