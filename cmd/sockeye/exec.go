package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"sockeye"
	"sockeye/addr"
)

// exec runs the program with the connection as its standard input and output.
func (l *listener) exec(ctx context.Context, conn *sockeye.Socket, peer string) error {
	f, err := file(conn)
	if err != nil {
		return err
	}
	cmd := l.program(conn, peer)
	cmd.Stdin, cmd.Stdout = f, f
	err = cmd.Start()
	// The connection ends when the last who has it open closes it: the program.
	f.Close()
	conn.Close()
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	e := event{Event: "closed", Peer: peer}
	if err != nil {
		e.Error = fmt.Sprintf("%s: %v", l.command, err)
	}
	l.a.console.event(e)
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return statusError{statusNetwork, ""} // told above
	}
	return err
}

func (l *listener) program(s *sockeye.Socket, peer string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", l.command)
	cmd.Stderr = l.a.console
	cmd.Env = append(os.Environ(), "SOCKEYE_PEER="+peer)
	if local, err := addr.LocalOf(s); err == nil {
		cmd.Env = append(cmd.Env, "SOCKEYE_LOCAL="+local.String())
	}
	return cmd
}

// file is the socket as a file for another program: one that blocks, as programs
// expect of their standard input. The socket is not used after.
func file(s *sockeye.Socket) (*os.File, error) {
	conn, err := s.SyscallConn()
	if err != nil {
		return nil, err
	}
	var f *os.File
	var opErr error
	if err := conn.Control(func(fd uintptr) {
		var dup int
		if dup, opErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); opErr != nil {
			return
		}
		opErr = unix.SetNonblock(dup, false)
		f = os.NewFile(uintptr(dup), "connection")
	}); err != nil {
		return nil, err
	}
	return f, opErr
}

// programs is how many run at once for datagrams. More wait in the socket's
// queue.
const programs = 64

// exec runs the program on one datagram, once there is a place for it, and
// answers with what it printed.
func (c *correspondence) exec(ctx context.Context, p []byte, from sockeye.Sockaddr) {
	select {
	case c.places <- struct{}{}:
	case <-ctx.Done():
		return
	}
	go func() {
		defer func() { <-c.places }()
		peer := peerName(c.s, from)
		var out bytes.Buffer
		cmd := c.l.program(c.s, peer)
		cmd.Stdin, cmd.Stdout = bytes.NewReader(p), &out
		if err := cmd.Run(); err != nil {
			c.l.a.console.event(event{Peer: peer, Error: fmt.Sprintf("%s: %v", c.l.command, err)})
		}
		if out.Len() > 0 {
			c.answer(ctx, out.Bytes(), from)
		}
	}()
}
