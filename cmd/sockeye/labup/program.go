package labup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"sockeye"
	"sockeye/addr"
	"sockeye/cmd/sockeye/chat"
	"sockeye/cmd/sockeye/labfile"
	"sockeye/echo"
	"sockeye/internal/accept"
)

// run is the job of a program.
func (h *host) run(p labfile.Program) *job {
	if p.Kind == "command" {
		return h.command(p)
	}
	what := p.Kind
	if p.Port != 0 {
		what += " on port " + strconv.Itoa(int(p.Port))
	}
	open := map[string]func(context.Context, *sockeye.Host, labfile.Program) (service, error){
		"echo": openEcho, "web": h.openWeb, "chat": openChat, "sink": openSink, "source": openSource,
	}[p.Kind]
	return h.serving(what, func(ctx context.Context, on *sockeye.Host) (service, error) { return open(ctx, on, p) })
}

// both is a service by TCP and by UDP, which goes on until either ends.
func both(ctx context.Context, on *sockeye.Host, port uint16, serve func(context.Context, *sockeye.Socket) error) (service, error) {
	tcp, err := listenOn(ctx, on, false, port)
	if err != nil {
		return nil, err
	}
	udp, err := listenOn(ctx, on, true, port)
	if err != nil {
		tcp.Close()
		return nil, err
	}
	return func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		other := make(chan error, 1)
		go func() {
			defer cancel()
			other <- serve(ctx, udp)
		}()
		err := serve(ctx, tcp)
		cancel()
		return errors.Join(err, <-other)
	}, nil
}

func openEcho(ctx context.Context, on *sockeye.Host, p labfile.Program) (service, error) {
	return both(ctx, on, p.Port, func(ctx context.Context, s *sockeye.Socket) error { return echo.Serve(ctx, s, nil) })
}

func openChat(ctx context.Context, on *sockeye.Host, p labfile.Program) (service, error) {
	l, err := on.Listen("tcp", ":"+strconv.Itoa(int(p.Port)))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return chat.Serve(ctx, l, chat.Options{}) }, nil
}

// chunk is what sinks and sources move at once.
const chunk = 16 << 10

func openSink(ctx context.Context, on *sockeye.Host, p labfile.Program) (service, error) {
	return both(ctx, on, p.Port, func(ctx context.Context, s *sockeye.Socket) error {
		if s.Type() == sockeye.SOCK_DGRAM {
			defer s.Close()
			return swallow(s.WithContext(ctx), true)
		}
		return each(ctx, s, func(_ context.Context, conn *sockeye.Socket) { swallow(conn, false) })
	})
}

// swallow receives until the end, which an empty datagram is not.
func swallow(s *sockeye.Socket, datagrams bool) error {
	buf := make([]byte, chunk)
	for {
		if n, err := s.Recv(buf, 0); err != nil || n == 0 && !datagrams {
			return err
		}
	}
}

// each serves the connections of a listener.
func each(ctx context.Context, s *sockeye.Socket, serve func(context.Context, *sockeye.Socket)) error {
	all := accept.New(s)
	return all.Serve(ctx, func(ctx context.Context, conn *sockeye.Socket, _ sockeye.Sockaddr) {
		all.Go(func() {
			defer all.End(conn)
			serve(ctx, conn)
		})
	})
}

func openSource(ctx context.Context, on *sockeye.Host, p labfile.Program) (service, error) {
	if p.To != "" {
		to, err := addr.Parse(scheme(p.UDP) + p.To)
		return func(ctx context.Context) error { return pourInto(ctx, on, to, p) }, err
	}
	s, err := listenOn(ctx, on, false, p.Port)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		return each(ctx, s, func(ctx context.Context, conn *sockeye.Socket) { pour(ctx, conn, p, chunk) })
	}, nil
}

// pourInto connects to a target, again and again.
func pourInto(ctx context.Context, on *sockeye.Host, to addr.Address, p labfile.Program) error {
	size := chunk
	if p.UDP {
		size = 1400 // fits an Ethernet frame
	}
	for {
		conn, err := to.Connect(ctx, on)
		if err == nil {
			err = pour(ctx, conn.WithContext(ctx), p, size)
			conn.Close()
		}
		if errors.Is(err, net.ErrClosed) { // the host has crashed; a peer that is gone may come back
			return err
		}
		if !pause(ctx, max(p.Every, retry)) {
			return nil
		}
	}
}

// retry is how long a source waits at least before it connects again.
const retry = 200 * time.Millisecond

// pour sends what the program asks for, at its rate.
func pour(ctx context.Context, conn *sockeye.Socket, p labfile.Program, size int) error {
	text := make([]byte, size)
	for i := range text {
		text[i] = pattern[i%len(pattern)]
	}
	begun := time.Now()
	for sent := int64(0); p.Bytes == 0 || sent < p.Bytes; {
		part := text
		if p.Bytes > 0 {
			part = part[:min(int64(len(part)), p.Bytes-sent)]
		}
		n, err := conn.Send(part, 0)
		if err != nil {
			return err
		}
		if sent += int64(n); p.Rate > 0 {
			due := time.Duration(float64(sent) * 8 / float64(p.Rate) * float64(time.Second))
			if !pause(ctx, due-time.Since(begun)) {
				return ctx.Err()
			}
		}
	}
	return nil
}

// pattern is what a source sends.
var pattern = fmt.Sprintf("%s\r\n", "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh")

// pause waits; false: the context has ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
