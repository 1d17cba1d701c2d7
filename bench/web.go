package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sockeye/cmd/sockeye/web"
)

// gets makes clients that fetch a file of a size from the server of sockeye web, again and again, each over one
// connection, on a peer's ends.
func gets(clients int, size int64) func(ends, time.Duration) (figures, error) {
	return func(e ends, d time.Duration) (figures, error) {
		dir, err := os.MkdirTemp("", "sockeye-web")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		name := filepath.Join(dir, "file")
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			return nil, err
		}
		site, err := web.Open(dir, web.Options{})
		if err != nil {
			return nil, err
		}
		defer site.Close()
		l, err := e.Listen()
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- (&web.Server{Handler: site}).Serve(ctx, l) }()
		transport := &http.Transport{
			DialContext:         func(context.Context, string, string) (net.Conn, error) { return e.Dial(l.Addr()) },
			MaxIdleConnsPerHost: clients, DisableCompression: true,
		}
		client := &http.Client{Transport: transport}

		var answers atomic.Int64
		var wg sync.WaitGroup
		errs := make(chan error, clients)
		begun := time.Now()
		for range clients {
			wg.Go(func() {
				for time.Since(begun) < d {
					if err := fetch(client, size); err != nil {
						errs <- err
						return
					}
					answers.Add(1)
				}
			})
		}
		wg.Wait()
		took := time.Since(begun).Seconds()
		transport.CloseIdleConnections()
		cancel()
		errs <- nil
		if err := <-errs; err != nil {
			return nil, err
		}
		n := float64(answers.Load())
		return figures{"requests/s": n / took, "Gbit/s": n * float64(size) * 8 / took / 1e9}, <-served
	}
}

func fetch(c *http.Client, size int64) error {
	resp, err := c.Get("http://server/file")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != size {
		return fmt.Errorf("%d bytes came of %d: %w", n, size, err)
	}
	return nil
}
