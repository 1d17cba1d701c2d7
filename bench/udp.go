package main

import (
	"errors"
	"net"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// The load on UDP in one process: one socket sends as fast as it can, another
// receives; what arrives counts.

type figures = map[string]float64

func netDatagrams(size int) func(time.Duration) (figures, error) {
	return func(d time.Duration) (figures, error) {
		r, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, err
		}
		defer r.Close()
		w, err := net.DialUDP("udp4", nil, r.LocalAddr().(*net.UDPAddr))
		if err != nil {
			return nil, err
		}
		defer w.Close()
		stop := make(chan struct{})
		go func() {
			for p := make([]byte, size); !isClosed(stop); {
				w.Write(p)
			}
		}()
		defer close(stop)
		buf := make([]byte, size)
		return receiveFor(d, r.SetReadDeadline, func() (int, error) {
			_, _, err := r.ReadFromUDPAddrPort(buf)
			return 1, err
		})
	}
}

// segments is how many datagrams one message carries, and batch how many
// messages one call.
const (
	segments = 40
	batch    = 8
)

func sockDatagrams(size int) func(time.Duration) (figures, error) {
	return func(d time.Duration) (figures, error) {
		r, w, err := udpPair()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		defer w.Close()
		if err := sockeye.UDP_GRO.Set(r, true); err != nil {
			return nil, err
		}
		stop := make(chan struct{})
		go func() {
			out := make([]sockeye.Message, batch)
			for i := range out {
				out[i].Buffers = [][]byte{make([]byte, segments*size)}
				out[i].Control = sockeye.AppendSegmentSize(nil, uint16(size))
			}
			for !isClosed(stop) {
				w.Sendmmsg(out, 0)
			}
		}()
		defer close(stop)
		in := make([]sockeye.Message, batch)
		for i := range in {
			in[i].Buffers = [][]byte{make([]byte, 64<<10)}
			in[i].Control = make([]byte, sockeye.ControlSpace(4))
		}
		return receiveFor(d, r.SetReadDeadline, func() (int, error) {
			n, err := r.Recvmmsg(in, sockeye.MSG_WAITFORONE)
			datagrams := 0
			for i := range in[:n] {
				datagrams += in[i].N / size
			}
			return datagrams, err
		})
	}
}

// udpPair gives a socket that receives and one that is connected to it.
func udpPair() (r, w *sockeye.Socket, err error) {
	h := kernel.Host()
	if r, err = h.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0); err != nil {
		return nil, nil, err
	}
	if err = r.Bind(sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 0)); err != nil {
		return nil, nil, err
	}
	at, err := r.Getsockname()
	if err != nil {
		return nil, nil, err
	}
	if w, err = h.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0); err != nil {
		return nil, nil, err
	}
	return r, w, w.Connect(at)
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// receiveFor counts datagrams until the time is over.
func receiveFor(d time.Duration, setDeadline func(time.Time) error, receive func() (int, error)) (figures, error) {
	start := time.Now()
	setDeadline(start.Add(d))
	n := 0
	for {
		k, err := receive()
		n += k
		var timeout net.Error // as every peer has it
		if errors.As(err, &timeout) && timeout.Timeout() || time.Since(start) > 2*d {
			return figures{"datagrams/s": float64(n) / time.Since(start).Seconds()}, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
