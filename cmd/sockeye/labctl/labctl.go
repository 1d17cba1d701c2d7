// Package labctl is how commands find the labs that are up, and talk to them: HTTP over a unix socket
// that is named for the lab, in a directory that only its user may enter.
package labctl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Dir is where the sockets and logs of labs are: in XDG_RUNTIME_DIR, or else in TMPDIR. It is made if need
// be, and is to be the user's own, with nobody else in it.
func Dir() (string, error) {
	dir := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "sockeye")
	if os.Getenv("XDG_RUNTIME_DIR") == "" {
		dir = filepath.Join(os.TempDir(), "sockeye-"+strconv.Itoa(os.Getuid()))
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if s := info.Sys().(*syscall.Stat_t); !info.IsDir() || int(s.Uid) != os.Getuid() || info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s is not a directory of your own that nobody else may enter; remove it, or set XDG_RUNTIME_DIR to one that is", dir)
	}
	return dir, nil
}

const (
	suffix  = ".sock"
	longest = 107 // sun_path without its zero
)

// A RunningError is that a lab of the name is up.
type RunningError struct{ Name string }

// Error tells how to end the lab, or to take another name.
func (e RunningError) Error() string {
	return fmt.Sprintf("a lab %q is up already; end it, or give this one another name with --name", e.Name)
}

// Listen opens the socket of a lab. A socket that a dead program left behind gives way.
func Listen(name string) (net.Listener, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	// Two that begin at once take turns.
	lock, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name+suffix)
	if len(path) > longest {
		return nil, fmt.Errorf("%s is longer than the %d bytes of a unix socket's path (unix(7)); set XDG_RUNTIME_DIR to a shorter directory, or give the lab a shorter name", path, longest)
	}
	if alive(path) {
		return nil, RunningError{name}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return net.Listen("unix", path)
}

// alive tells whether somebody listens there.
func alive(path string) bool {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// Names are those of the labs that are up.
func Names() ([]string, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir) // in order
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok && alive(filepath.Join(dir, e.Name())) {
			names = append(names, name)
		}
	}
	return names, nil
}

// ErrNone is that no lab is up.
var ErrNone = errors.New("no lab is up; start one with sockeye up")

// Choose gives the name of the lab that is meant: the given one, or the only one that is up.
func Choose(name string) (string, error) {
	names, err := Names()
	if err != nil {
		return "", err
	}
	up := strings.Join(names, ", ")
	switch {
	case len(names) == 0:
		return "", ErrNone
	case name == "" && len(names) > 1:
		return "", fmt.Errorf("several labs are up: %s; say which one, as --lab %s", up, names[0])
	case name == "":
		return names[0], nil
	}
	for _, n := range names {
		if n == name {
			return name, nil
		}
	}
	return "", fmt.Errorf("no lab %q is up; there is %s", name, up)
}

// Dial connects to the lab of a name.
func Dial(ctx context.Context, name string) (*net.UnixConn, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, name+suffix))
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		if _, err := Choose(name); err != nil { // which tells what there is
			return nil, err
		}
		return nil, fmt.Errorf("no lab %q is up; sockeye up brings one up", name)
	case err != nil:
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}

// Client is what talks to a lab. Its requests are for the host "lab".
func Client(name string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return Dial(ctx, name) },
	}}
}
