package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// The loads on a UDP echo server. A datagram carries its number and that of the
// socket that sent it, so that each answer can be told to be whole, and to be at
// the right place.

const (
	echoSize    = 64
	echoWindows = 32                     // in flight from one socket
	echoClients = 16                     // sockets with one in flight each
	sweeps      = 64                     // that a client lives
	silence     = 200 * time.Millisecond // after which what is in flight counts as lost
)

// An echoCount is what came of datagrams.
type echoCount struct{ own, foreign, merged, lost int }

func (n echoCount) figures(start time.Time) map[string]float64 {
	return map[string]float64{
		"req/s":   float64(n.own) / time.Since(start).Seconds(),
		"foreign": float64(n.foreign),
		"merged":  float64(n.merged),
		"lost":    float64(n.lost),
	}
}

var filler = bytes.Repeat([]byte("sockeye!"), echoSize/8)

// number makes a datagram the n-th of a client.
func number(p []byte, client, n int) {
	copy(p, filler)
	binary.BigEndian.PutUint32(p, uint32(client))
	binary.BigEndian.PutUint64(p[4:], uint64(n))
}

// count counts an answer that came to a client with numbers below limit in use.
func (n *echoCount) count(p []byte, client, limit int) {
	switch {
	case len(p) == echoSize && bytes.Equal(p[12:], filler[12:]) &&
		int(binary.BigEndian.Uint32(p)) == client && int(binary.BigEndian.Uint64(p[4:])) < limit:
		n.own++
	case len(p) > 0 && len(p)%echoSize == 0 && len(p) > echoSize:
		n.merged += len(p) / echoSize
	default:
		n.foreign++
	}
}

func echoClient(at string) (*sockeye.Socket, error) {
	to, err := netip.ParseAddrPort(at)
	if err != nil {
		return nil, err
	}
	s, err := kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	if err := s.Connect(sockeye.SockaddrInet(to)); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// echoWindow keeps as many datagrams in flight from one socket. It sends and
// receives them in batches, but each by itself: a batch of the server's making is
// none of the client's.
func echoWindow(at string, d time.Duration) (map[string]float64, error) {
	s, err := echoClient(at)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var out, in [echoWindows]sockeye.Message
	for i := range out {
		out[i].Buffers = [][]byte{make([]byte, echoSize)}
		in[i].Buffers = [][]byte{make([]byte, echoWindows*echoSize)}
	}
	var n echoCount
	sent, inFlight := 0, 0
	start := time.Now()
	for deadline := start; ; {
		now := time.Now()
		if now.Sub(start) > d {
			return n.figures(start), nil
		}
		if now.Sub(deadline) > -silence { // moving a deadline costs
			deadline = now.Add(2 * silence)
			s.SetReadDeadline(deadline)
		}
		k := echoWindows - inFlight
		for i := range out[:k] {
			number(out[i].Buffers[0], 1, sent+i)
		}
		if _, err := s.Sendmmsg(out[:k], 0); err != nil && k > 0 {
			return nil, err
		}
		sent, inFlight = sent+k, echoWindows
		got, err := s.Recvmmsg(in[:], sockeye.MSG_WAITFORONE)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			n.lost += inFlight
			inFlight, deadline = 0, start
			continue
		}
		if err != nil {
			return nil, err
		}
		for i := range in[:got] {
			n.count(in[i].Buffers[0][:in[i].N], 1, sent)
			inFlight -= max(1, in[i].N/echoSize)
		}
		inFlight = max(inFlight, 0)
	}
}

// echoSweeps has a number of clients send one datagram each at once, and gathers
// the answers. New clients take their place after a while.
func echoSweeps(at string, d time.Duration) (map[string]float64, error) {
	var n echoCount
	start := time.Now()
	for time.Since(start) < d {
		if err := n.sweep(at, sweeps, start.Add(d)); err != nil {
			return nil, err
		}
	}
	return n.figures(start), nil
}

// echoNew is echoSweeps with clients that the server has never met.
func echoNew(at string, d time.Duration) (map[string]float64, error) {
	var n echoCount
	start := time.Now()
	for range 5 {
		if err := n.sweep(at, 1, start.Add(time.Hour)); err != nil {
			return nil, err
		}
	}
	v := n.figures(start)
	delete(v, "req/s")
	v["own"] = float64(n.own)
	return v, nil
}

func (n *echoCount) sweep(at string, rounds int, end time.Time) error {
	var clients [echoClients]*sockeye.Socket
	for i := range clients {
		s, err := echoClient(at)
		if err != nil {
			return err
		}
		defer s.Close()
		clients[i] = s
	}
	out, in := make([]byte, echoSize), make([]byte, 64<<10)
	for round := range rounds {
		for i, s := range clients {
			number(out, i, round)
			if _, err := s.Send(out, 0); err != nil {
				return err
			}
		}
		limit := time.Now().Add(silence)
		for i, s := range clients {
			got, err := s.Recv(in, sockeye.MSG_DONTWAIT)
			if err != nil {
				s.SetReadDeadline(limit)
				got, err = s.Recv(in, 0)
			}
			if err != nil {
				n.lost++
				continue
			}
			n.count(in[:got], i, round+1)
		}
		if time.Now().After(end) {
			return nil
		}
	}
	return nil
}
