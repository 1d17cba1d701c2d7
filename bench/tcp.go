package main

import (
	"io"
	"net"
	"runtime"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// The loads on TCP in one process, each written twice.

const bulkWrite = 64 << 10

// netPair gives two connected sockets of package net on loopback.
func netPair() (a, b net.Conn, err error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if a, err = net.Dial("tcp4", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	b, err = l.Accept()
	return a, b, err
}

// sockPair is netPair of this project.
func sockPair() (a, b *sockeye.Socket, err error) {
	l, at, err := sockListen()
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if a, err = kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0); err != nil {
		return nil, nil, err
	}
	if err = a.Connect(at); err != nil {
		return nil, nil, err
	}
	// As package net has it.
	if err = sockeye.TCP_NODELAY.Set(a, true); err != nil {
		return nil, nil, err
	}
	b, _, err = l.Accept()
	return a, b, err
}

func sockListen() (*sockeye.Socket, sockeye.Sockaddr, error) {
	l, err := kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	if err != nil {
		return nil, sockeye.Sockaddr{}, err
	}
	err = l.Bind(sockeye.SockaddrInet4([4]byte{}, 0))
	if err == nil {
		err = sockeye.TCP_NODELAY.Set(l, true)
	}
	if err == nil {
		err = l.Listen(4096)
	}
	if err != nil {
		return nil, sockeye.Sockaddr{}, err
	}
	at, err := l.Getsockname()
	return l, sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, at.Port()), err
}

func netBulk(d time.Duration) (map[string]float64, error) {
	a, b, err := netPair()
	if err != nil {
		return nil, err
	}
	return bulk(a, b, a.Close, d)
}

func sockBulk(d time.Duration) (map[string]float64, error) {
	a, b, err := sockPair()
	if err != nil {
		return nil, err
	}
	return bulk(a, b, a.Close, d)
}

// bulk sends for a while and counts what arrives.
func bulk(w io.Writer, r io.Reader, finish func() error, d time.Duration) (map[string]float64, error) {
	start := time.Now()
	failed := make(chan error, 1)
	go func() {
		p := make([]byte, bulkWrite)
		for time.Since(start) < d {
			if _, err := w.Write(p); err != nil {
				failed <- err
				return
			}
		}
		failed <- finish()
	}()
	n, buf := 0, make([]byte, bulkWrite)
	for {
		k, err := r.Read(buf)
		n += k
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return map[string]float64{"Gbit/s": float64(n) * 8 / 1e9 / time.Since(start).Seconds()}, <-failed
}

const pingSize = 64

func netPingPong(d time.Duration) (map[string]float64, error) {
	a, b, err := netPair()
	if err != nil {
		return nil, err
	}
	return pingPong(a.Read, a.Write, b.Read, b.Write, d)
}

func sockPingPong(d time.Duration) (map[string]float64, error) {
	a, b, err := sockPair()
	if err != nil {
		return nil, err
	}
	recv := func(s *sockeye.Socket) func([]byte) (int, error) {
		return func(p []byte) (int, error) { return s.Recv(p, 0) }
	}
	send := func(s *sockeye.Socket) func([]byte) (int, error) {
		return func(p []byte) (int, error) { return s.Send(p, 0) }
	}
	return pingPong(recv(a), send(a), recv(b), send(b), d)
}

// pingPong sends one message there and back at a time.
func pingPong(readA, writeA, readB, writeB func([]byte) (int, error), d time.Duration) (map[string]float64, error) {
	go func() {
		p := make([]byte, pingSize)
		for {
			n, err := readB(p)
			if n == 0 || err != nil {
				return
			}
			if _, err := writeB(p[:n]); err != nil {
				return
			}
		}
	}()
	p := make([]byte, pingSize)
	turn := func() error {
		if _, err := writeA(p); err != nil {
			return err
		}
		_, err := readA(p)
		return err
	}
	for range 100 {
		if err := turn(); err != nil {
			return nil, err
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	turns, start := 0, time.Now()
	for time.Since(start) < d {
		for range 20 {
			if err := turn(); err != nil {
				return nil, err
			}
			turns++
		}
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	const calls = 4 // in a turn
	return map[string]float64{
		"turns/s":     float64(turns) / took.Seconds(),
		"allocs/call": float64(after.Mallocs-before.Mallocs) / float64(turns*calls),
	}, nil
}

// Connections go to many addresses of the loopback network: those that have
// ended keep their ports for a while (TIME_WAIT).
const loopbackAddresses = 200

func netConnect(d time.Duration) (map[string]float64, error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return connects(d, func(last byte) error {
		a, err := net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, last), Port: l.Addr().(*net.TCPAddr).Port})
		if err != nil {
			return err
		}
		defer a.Close()
		b, err := l.Accept()
		if err != nil {
			return err
		}
		return b.Close()
	})
}

func sockConnect(d time.Duration) (map[string]float64, error) {
	h := kernel.Host()
	l, at, err := sockListen()
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return connects(d, func(last byte) error {
		a, err := h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer a.Close()
		if err := a.Connect(sockeye.SockaddrInet4([4]byte{127, 0, 0, last}, at.Port())); err != nil {
			return err
		}
		b, _, err := l.Accept()
		if err != nil {
			return err
		}
		return b.Close()
	})
}

func connects(d time.Duration, one func(last byte) error) (map[string]float64, error) {
	n, start := 0, time.Now()
	for time.Since(start) < d {
		for range 20 {
			if err := one(byte(1 + n%loopbackAddresses)); err != nil {
				return nil, err
			}
			n++
		}
	}
	return map[string]float64{"conn/s": float64(n) / time.Since(start).Seconds()}, nil
}
