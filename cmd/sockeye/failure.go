package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"sockeye"
	"sockeye/addr"
)

// Exit statuses.
const (
	statusNetwork = 1
	statusUsage   = 2
	statusSignal  = 128 // and the signal's number
)

// A usageError is a command line that can't be run.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal syscall.Signal }

func (e interrupted) Error() string { return "interrupted" }

// A statusError ends the command with a status of its own, and a text if there
// is something to say.
type statusError struct {
	status int
	text   string
}

func (e statusError) Error() string { return e.text }

// A failure is an error about an address, which the text names as it was typed.
type failure struct {
	what string // what was tried: "listen on tcp://:80"
	err  error
}

func (e failure) Error() string { return e.what + ": " + explain(e.err) }
func (e failure) Unwrap() error { return e.err }

// verdict gives the exit status that an error leads to, and what to say.
func verdict(err error) (status int, text string) {
	var (
		stop    interrupted
		wrong   usageError
		address *addr.Error
		own     statusError
	)
	switch {
	case err == nil || errors.Is(err, syscall.EPIPE) && errors.Is(err, errStdout):
		return 0, ""
	case errors.As(err, &stop):
		return statusSignal + int(stop.signal), ""
	case errors.As(err, &own):
		return own.status, own.text
	case errors.As(err, &wrong):
		return statusUsage, wrong.Error()
	case errors.As(err, &address):
		return statusUsage, address.Error()
	}
	return statusNetwork, explain(err)
}

// errStdout marks an error of standard output: with EPIPE its reader has gone,
// which is nothing to complain of.
var errStdout = errors.New("standard output")

// explain says in one line why something failed, and what to do about it.
func explain(err error) string {
	var (
		f       failure
		call    *sockeye.Error
		unknown *net.DNSError
	)
	switch {
	case errors.As(err, &f):
		return f.Error()
	case errors.As(err, &unknown) && unknown.IsNotFound:
		return fmt.Sprintf("unknown host %q", unknown.Name)
	case errors.As(err, &unknown):
		return fmt.Sprintf("cannot look up %q: %s", unknown.Name, unknown.Err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &call):
		return explainCall(call)
	}
	if errno, ok := err.(syscall.Errno); ok {
		return explainCall(&sockeye.Error{Err: errno})
	}
	return oneLine(err.Error())
}

func explainCall(e *sockeye.Error) string {
	var errno syscall.Errno
	if !errors.As(e.Err, &errno) {
		return oneLine(e.Error())
	}
	text := errno.Error()
	family := e.Remote.Family()
	if strings.HasPrefix(e.Remote.Path(), "\x00") {
		family = 0 // an abstract name has no path to speak of
	}
	for _, h := range hints {
		if h.errno == errno && (h.call == "" || h.call == e.Call) && (h.family == 0 || h.family == family) {
			return text + ": " + h.text
		}
	}
	where := sockeye.ErrnoName(errno)
	if e.Call != "" {
		where += " in " + e.Call
	}
	return fmt.Sprintf("%s (%s)", text, where)
}

// hints say what an errno means to who typed the command.
var hints = []struct {
	call   string // "": any
	family sockeye.Family
	errno  syscall.Errno
	text   string
}{
	{"bind", sockeye.AF_UNIX, syscall.EACCES, "the directory is not yours to write in"},
	{"bind", sockeye.AF_UNIX, syscall.ENOENT, "there is no such directory"},
	{"bind", 0, syscall.EACCES, "ports below 1024 need root or CAP_NET_BIND_SERVICE (sysctl net.ipv4.ip_unprivileged_port_start); try a higher port"},
	{"bind", 0, syscall.EADDRINUSE, "another program has it; try another one, or port 0 for any that is free"},
	{"listen", 0, syscall.EADDRINUSE, "another program has it; try another one, or port 0 for any that is free"},
	{"bind", 0, syscall.EADDRNOTAVAIL, "this machine does not have that address; try one of its own, or none"},
	{"socket", 0, syscall.EPERM, "raw sockets need root or CAP_NET_RAW"},
	{"socket", 0, syscall.EAFNOSUPPORT, "this machine does not have that family; see sockeye families"},
	{"connect", sockeye.AF_UNIX, syscall.ECONNREFUSED, "nobody listens there; the path was left behind"},
	{"connect", sockeye.AF_UNIX, syscall.ENOENT, "there is no such path"},
	{"connect", sockeye.AF_UNIX, syscall.EACCES, "the path is not yours to write to"},
	{"connect", 0, syscall.EPROTOTYPE, "a socket of another kind is there; try unix:, unixgram: or unixpacket:"},
	{"connect", 0, syscall.EACCES, "the address is a broadcast address, or a rule of the firewall forbids it"},
	{"", 0, syscall.ECONNREFUSED, "nobody listens there"},
	{"connect", 0, syscall.ETIMEDOUT, "nobody answers there"},
	{"", 0, syscall.ENETUNREACH, "no route leads there"},
	{"", 0, syscall.EHOSTUNREACH, "the host does not answer"},
	{"", 0, syscall.ECONNRESET, "the peer is gone"},
	{"", 0, syscall.EPIPE, "the peer closed before all was sent"},
	{"", 0, syscall.EMSGSIZE, "the datagram is too large for this kind of socket"},
	{"accept", 0, syscall.EMFILE, "too many connections at once; raise ulimit -n"},
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
