package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// The loads on a UDP echo server. A datagram carries its number and that of the
// socket that sent it, so that each answer can be told to be whole, and to be at
// the right place.
//
// A client that made a system call for every datagram would be slower than the
// servers: bursts leave with one call (UDP_SEGMENT), and what the system has kept
// together comes with one (UDP_GRO), as QUIC's libraries do it. The server need
// not know: to one that does not ask, they are single datagrams.

const (
	echoSize    = 64
	echoWindows = 32                     // in flight from one socket
	echoClients = 16                     // sockets at once
	echoBurst   = 4                      // in flight from each: a socket's queue takes them all
	sweeps      = 64                     // bursts that a client lives for
	silence     = 200 * time.Millisecond // after which what is in flight counts as lost
)

// An echoCount is what came of datagrams.
type echoCount struct{ own, foreign, merged, lost int }

func (n echoCount) figures(start time.Time) map[string]float64 {
	return map[string]float64{
		"req/s":   float64(n.own) / time.Since(start).Seconds(),
		"own":     float64(n.own),
		"foreign": float64(n.foreign),
		"merged":  float64(n.merged),
		"lost":    float64(n.lost),
	}
}

var filler = bytes.Repeat([]byte("sockeye!"), echoSize/8)

// An echoClient is one socket that sends bursts.
type echoClient struct {
	s       *sockeye.Socket
	id      int
	sent    int
	out     sockeye.Message
	in      [4]sockeye.Message
	control []byte
	limit   time.Time
}

func newEchoClient(at string, id int) (*echoClient, error) {
	to, err := netip.ParseAddrPort(at)
	if err != nil {
		return nil, err
	}
	s, err := kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	if err = s.Connect(sockeye.SockaddrInet(to)); err == nil {
		err = sockeye.UDP_GRO.Set(s, true)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	c := &echoClient{s: s, id: id, control: sockeye.AppendSegmentSize(nil, echoSize)}
	c.out.Buffers = [][]byte{make([]byte, echoWindows*echoSize)}
	for i := range c.in {
		c.in[i].Buffers = [][]byte{make([]byte, 64<<10)}
		c.in[i].Control = make([]byte, sockeye.ControlSpace(4))
	}
	return c, nil
}

// send sends k datagrams at once.
func (c *echoClient) send(k int) error {
	p := c.out.Buffers[0][:k*echoSize]
	for d := range slices.Chunk(p, echoSize) {
		copy(d, filler)
		binary.BigEndian.PutUint32(d, uint32(c.id))
		binary.BigEndian.PutUint64(d[4:], uint64(c.sent))
		c.sent++
	}
	m := sockeye.Message{Buffers: [][]byte{p}}
	if k > 1 {
		m.Control = c.control
	}
	_, err := c.s.Sendmsg(&m, 0)
	return err
}

// receive waits for some answers and tells how many datagrams they are.
func (c *echoClient) receive(n *echoCount) (answers int, err error) {
	if now := time.Now(); c.limit.Sub(now) < silence { // moving a deadline costs
		c.limit = now.Add(2 * silence)
		c.s.SetReadDeadline(c.limit)
	}
	got, err := c.s.Recvmmsg(c.in[:], sockeye.MSG_WAITFORONE)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.limit = time.Time{}
		return 0, nil
	}
	for i := range c.in[:got] {
		m := &c.in[i]
		p, segment := m.Buffers[0][:m.N], m.N
		for cm := range m.ControlMessages() {
			segment, _ = cm.Int()
		}
		for len(p) > segment {
			answers += n.count(p[:segment], c)
			p = p[segment:]
		}
		answers += n.count(p, c)
	}
	return answers, err
}

// count takes note of an answer, and tells how many datagrams it is.
func (n *echoCount) count(p []byte, c *echoClient) int {
	switch {
	case len(p) == echoSize && bytes.Equal(p[12:], filler[12:]) &&
		int(binary.BigEndian.Uint32(p)) == c.id && int(binary.BigEndian.Uint64(p[4:])) < c.sent:
		n.own++
	case len(p) > echoSize && len(p)%echoSize == 0:
		n.merged += len(p) / echoSize
		return len(p) / echoSize
	default:
		n.foreign++
	}
	return 1
}

// echoWindow keeps as many datagrams in flight from one socket.
func echoWindow(at string, d time.Duration) (map[string]float64, error) {
	c, err := newEchoClient(at, 1)
	if err != nil {
		return nil, err
	}
	defer c.s.Close()
	var n echoCount
	start, free := time.Now(), echoWindows
	for time.Since(start) < d {
		if err := c.send(free); err != nil {
			return nil, err
		}
		if free, err = c.receive(&n); err != nil {
			return nil, err
		}
		if free == 0 {
			n.lost += echoWindows
			free = echoWindows
		}
		free = min(free, echoWindows)
	}
	return n.figures(start), nil
}

// echoBursts has clients send bursts at once, and gathers the answers. New
// clients take their place after a while.
func echoBursts(burst int) load {
	return func(at string, d time.Duration) (map[string]float64, error) {
		var n echoCount
		start := time.Now()
		for time.Since(start) < d {
			if err := n.sweep(at, burst, sweeps, start.Add(d)); err != nil {
				return nil, err
			}
		}
		return n.figures(start), nil
	}
}

// echoNew is echoBursts of one datagram with clients that the server has never
// met.
func echoNew(at string, _ time.Duration) (map[string]float64, error) {
	var n echoCount
	start := time.Now()
	for range 5 {
		if err := n.sweep(at, 1, 1, start.Add(time.Hour)); err != nil {
			return nil, err
		}
	}
	v := n.figures(start)
	delete(v, "req/s")
	return v, nil
}

func (n *echoCount) sweep(at string, burst, rounds int, end time.Time) error {
	var clients [echoClients]*echoClient
	for i := range clients {
		c, err := newEchoClient(at, i)
		if err != nil {
			return err
		}
		defer c.s.Close()
		clients[i] = c
	}
	for range rounds {
		for _, c := range clients {
			if err := c.send(burst); err != nil {
				return err
			}
		}
		for _, c := range clients {
			for left := burst; left > 0; {
				got, err := c.receive(n)
				if err != nil {
					return err
				}
				if got == 0 {
					n.lost += left
					break
				}
				left -= got
			}
		}
		if time.Now().After(end) {
			return nil
		}
	}
	return nil
}
