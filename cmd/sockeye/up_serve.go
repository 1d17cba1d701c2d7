package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"sockeye/cmd/sockeye/labhttp"
	"sockeye/cmd/sockeye/labjoin"
	"sockeye/cmd/sockeye/labup"
	"sockeye/lab"
)

// doors are the ways to a lab: the control socket, for commands of its user, and the page.
type doors struct {
	view    *labhttp.View
	members *labjoin.Members
	url     string // of the page, with its token; "": there is none
}

// openDoors serves a lab at its control socket, and the page at an address of the loopback, or nowhere.
func openDoors(ctx context.Context, l *labup.Lab, control net.Listener, page string) (*doors, error) {
	d := &doors{view: labhttp.NewView()}
	d.show(l)
	d.members = labjoin.NewMembers(func(host string) *lab.Host {
		for _, h := range l.Network().Hosts() {
			if h.Name() == host {
				return h
			}
		}
		return nil
	})
	mux := http.NewServeMux()
	mux.Handle("GET /hosts/{host}/join", d.members)
	mux.Handle("GET /lab", l.Control())
	mux.Handle("POST /fault", l.Control())
	mux.Handle("/", d.view)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { server.Close() })
	go server.Serve(control)
	if page == "none" {
		return d, nil
	}
	port, err := net.Listen("tcp", page)
	if err != nil {
		return nil, fmt.Errorf("the page cannot be at %s: %w; try another address, as --page 127.0.0.1:0, or --page none", page, err)
	}
	token := labhttp.NewToken()
	if at := port.Addr().(*net.TCPAddr); !at.IP.IsLoopback() {
		port.Close()
		return nil, usage("--page %s: the page is for this machine alone; want an address of the loopback, as 127.0.0.1:%d", page, at.Port)
	}
	d.url = "http://" + port.Addr().String() + "/?token=" + token
	go labhttp.Serve(ctx, port, labhttp.Protect(d.view, token))
	return d, nil
}

// show lets the page show the lab as it is now.
func (d *doors) show(l *labup.Lab) {
	shown := labhttp.Lab{Name: l.File().Name, Network: l.Network(), Log: func(what string) { l.Log("page: " + what) }}
	for _, p := range l.Ports() {
		f := labhttp.Forward{Listen: p.Address, To: p.To, Host: p.By}
		if url, ok := strings.CutPrefix(typed(p, l.File()), "curl "); ok {
			f.Open = url + "/"
		}
		shown.Forwards = append(shown.Forwards, f)
	}
	d.view.Show(shown)
}

// commander runs unmodified programs as hosts of a lab, by sockeye run --join, and logs what they write.
func commander(name string, log func(string)) func(context.Context, string, []string) error {
	return func(ctx context.Context, host string, args []string) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, self, append([]string{"run", "--join", name + "/" + host, "--"}, args...)...)
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 2 * time.Second
		r, w := io.Pipe()
		cmd.Stdout, cmd.Stderr = w, w
		told := make(chan struct{})
		go func() {
			defer close(told)
			lines := bufio.NewScanner(r)
			for lines.Scan() {
				log(host + ": " + lines.Text())
			}
			io.Copy(io.Discard, r) // of what has no end of line
		}()
		err = cmd.Run()
		w.Close()
		<-told
		if ended, ok := errors.AsType[*exec.ExitError](err); ok {
			return errors.New(ended.ProcessState.String())
		}
		return err
	}
}
