package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sockeye"
)

// The load of short connections on a relay, with serveOneAnswer behind it.

const connectionClients = 16

// maxExchanges ends a measurement before its connections, which keep their ports
// for a while (TIME_WAIT), have taken most of those that connect(2) tries first, the
// half of net.ipv4.ip_local_port_range (14116 unless changed): from there on it
// searches longer and longer, and that is what would be measured.
const maxExchanges = 10000

// exchanges counts whole exchanges: connect, one byte there, one back, close.
func exchanges(at string, d time.Duration) (map[string]float64, error) {
	to, err := netip.ParseAddrPort(at)
	if err != nil {
		return nil, err
	}
	var begun, done, failed atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range connectionClients {
		wg.Go(func() {
			for time.Since(start) < d && begun.Add(1) <= maxExchanges {
				if exchange(sockeye.SockaddrInet(to), clientFirst) == nil {
					done.Add(1)
				} else {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return map[string]float64{
		"conn/s": float64(done.Load()) / time.Since(start).Seconds(),
		"failed": float64(failed.Load()),
	}, nil
}

// closes tells of which ways to end a connection a relay passes on.
func closes(at string, _ time.Duration) (map[string]float64, error) {
	to, err := netip.ParseAddrPort(at)
	if err != nil {
		return nil, err
	}
	v := make(map[string]float64)
	for name, how := range map[string]byte{"server-close": serverFirst, "half-close": halfClosed} {
		v[name] = 0
		if exchange(sockeye.SockaddrInet(to), how) == nil {
			v[name] = 1
		}
	}
	return v, nil
}

// patience is how long an answer may take that is on its way.
const patience = 2 * time.Second

func exchange(to sockeye.Sockaddr, how byte) error {
	s, err := connect(context.Background(), to)
	if err != nil {
		return err
	}
	defer s.Close()
	if how != clientFirst { // moving a deadline costs; these are few
		s.SetDeadline(time.Now().Add(patience))
	}
	b := [1]byte{how}
	if _, err := s.Send(b[:], 0); err != nil {
		return err
	}
	if how == halfClosed {
		if err := s.Shutdown(sockeye.SHUT_WR); err != nil {
			return err
		}
	}
	n, err := s.Recv(b[:], 0)
	if err != nil {
		return err
	}
	if n != 1 || b[0] != how {
		return fmt.Errorf("got %d bytes: %q", n, b[:n])
	}
	if how == clientFirst {
		return nil
	}
	if n, err = s.Recv(b[:], 0); n != 0 {
		return errors.New("no end after the answer")
	}
	return err
}
