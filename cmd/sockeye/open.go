package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"

	"sockeye"
	"sockeye/addr"
)

// listen opens a socket on the address, tells where it listens, and gives what
// removes the path of a unix socket again. A path that a dead program left behind
// is taken over if force says so.
func (a *app) listen(ctx context.Context, at addr.Address, force bool) (*sockeye.Socket, func(), error) {
	s, err := at.Listen(ctx, a.host, sockeye.SOMAXCONN)
	if errors.Is(err, syscall.EADDRINUSE) && at.Family == sockeye.AF_UNIX {
		if err = a.takeOver(at, force); err == nil {
			s, err = at.Listen(ctx, a.host, sockeye.SOMAXCONN)
		}
	}
	if err != nil {
		return nil, nil, failure{"listen on " + at.String(), err}
	}
	tidy := func() {}
	if at.Family == sockeye.AF_UNIX {
		tidy = ownPath(at.Path)
	}
	// The trace shows the call only where its answer is news.
	getsockname := s.Endpoint().Getsockname
	if at.Port == 0 && at.Family != sockeye.AF_UNIX && at.Type != sockeye.SOCK_RAW {
		getsockname = s.Getsockname
	}
	local, err := getsockname()
	if err != nil {
		s.Close()
		tidy()
		return nil, nil, err
	}
	a.console.event(event{Event: "listening", Address: addr.With(s, local).String()})
	return s, sync.OnceFunc(func() {
		if s.Ready(0) != sockeye.POLLNVAL { // a service closes its socket itself
			s.Close()
		}
		tidy()
	}), nil
}

// takeOver finds out who has a unix path, and removes it if that is nobody and
// force allows it.
func (a *app) takeOver(at addr.Address, force bool) error {
	if strings.HasPrefix(at.Path, "\x00") {
		return errors.New("another program has that name; try another one")
	}
	info, err := os.Lstat(at.Path)
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return errors.New("there is a file at that path, and not a socket; try another path")
	}
	// A datagram socket learns whether somebody is there, and a listener does not
	// hear of it: another kind of socket answers EPROTOTYPE (connect(2)).
	probe, err := a.host.Socket(sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer probe.Close()
	switch err := probe.Connect(sockeye.SockaddrUnix(at.Path)); {
	case !errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("address already in use: another program listens there")
	case !force:
		return errors.New("the path was left behind by a program that is gone; add --force to take it over, or remove it")
	}
	return os.Remove(at.Path)
}

// ownPath gives what removes the path, if by then it is still the same socket.
func ownPath(path string) func() {
	if path == "" || path[0] == 0 {
		return func() {}
	}
	mine, err := os.Lstat(path)
	if err != nil {
		return func() {}
	}
	return func() {
		if now, err := os.Lstat(path); err == nil && os.SameFile(mine, now) {
			os.Remove(path)
		}
	}
}

// peerName names a peer for people. A unix socket without a name is told by the
// process behind it.
func peerName(s *sockeye.Socket, from sockeye.Sockaddr) string {
	if from.Family() == sockeye.AF_UNIX && from.Path() == "" || from.IsZero() {
		who := "unix: an unnamed peer"
		if c, err := sockeye.SO_PEERCRED.Get(s); err == nil && c.PID != 0 {
			who = fmt.Sprintf("unix: pid %d, uid %d", c.PID, c.UID)
		}
		return who
	}
	return addr.With(s, from).String()
}
