package main

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"time"
)

// The loads inside one process, on the ends of any peer.

// between makes a load of work on a peer's ends.
func between(m medium, work func(ends, time.Duration) (figures, error)) load {
	return func(peer string, d time.Duration) (figures, error) {
		e, err := openEnds(peer, m)
		if err != nil {
			return nil, err
		}
		return work(e, d)
	}
}

// connected gives a connection's two ends.
func connected(e ends, l net.Listener) (a, b net.Conn, err error) {
	accepted := make(chan error, 1)
	go func() {
		var err error
		b, err = l.Accept()
		accepted <- err
	}()
	if a, err = e.Dial(l.Addr()); err != nil {
		return nil, nil, err
	}
	return a, b, <-accepted
}

func onePair(e ends) (a, b net.Conn, err error) {
	l, err := e.Listen()
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	return connected(e, l)
}

// warmUp is how much goes over a connection before anything counts: windows and pools have
// grown by then.
const warmUp = 64 << 20

func warm(a, b net.Conn) error {
	sent := make(chan error, 1)
	go func() {
		p := make([]byte, bulkWrite)
		for range warmUp / len(p) {
			if _, err := a.Write(p); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	buf := make([]byte, bulkWrite)
	for left := warmUp; left > 0; {
		n, err := b.Read(buf)
		if err != nil {
			return err
		}
		left -= n
	}
	return <-sent
}

// segmentSize is the payload of a segment at MTU 1500 with timestamps.
const segmentSize = 1448

// bulkBetween sends for a while on one connection.
func bulkBetween(e ends, d time.Duration) (figures, error) {
	a, b, err := onePair(e)
	if err != nil {
		return nil, err
	}
	if err := warm(a, b); err != nil {
		return nil, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	v, err := bulk(a, b, a.Close, d)
	if err != nil {
		return nil, err
	}
	runtime.ReadMemStats(&after)
	segments := v["Gbit/s"] * d.Seconds() * 1e9 / 8 / segmentSize
	v["allocs/segment"] = float64(after.Mallocs-before.Mallocs) / segments
	return v, nil
}

func pingPongBetween(e ends, d time.Duration) (figures, error) {
	a, b, err := onePair(e)
	if err != nil {
		return nil, err
	}
	return pingPong(a.Read, a.Write, b.Read, b.Write, d)
}

// connectBetween connects and closes one connection after the other. The server waits for
// each one's end and closes it too; those that it has not seen to the end do not count.
func connectBetween(e ends, d time.Duration) (figures, error) {
	l, err := e.Listen()
	if err != nil {
		return nil, err
	}
	const most = 1 << 16 // that the server lags behind
	ended := make(chan struct{}, most)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				c.Read(make([]byte, 1))
				c.Close()
				ended <- struct{}{}
			}()
		}
	}()
	n, start := 0, time.Now()
	// Those that have ended keep their ports for a while (TIME-WAIT): with more than this many
	// the search for a free port would be what is measured.
	const enough = 10000
	for n < enough && time.Since(start) < d {
		c, err := e.Dial(l.Addr())
		if err != nil {
			return nil, err
		}
		if err := c.Close(); err != nil {
			return nil, err
		}
		n++
	}
	for range n {
		<-ended
	}
	return figures{"conn/s": float64(n) / time.Since(start).Seconds()}, nil
}

// datagramsBetween has one socket send as fast as it can to another; what arrives counts.
func datagramsBetween(size int) func(ends, time.Duration) (figures, error) {
	return func(e ends, d time.Duration) (figures, error) {
		r, err := e.ListenPacket()
		if err != nil {
			return nil, err
		}
		w, err := e.DialPacket(r.LocalAddr())
		if err != nil {
			return nil, err
		}
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			for p := make([]byte, size); !isClosed(stop); {
				w.Write(p)
			}
		}()
		buf := make([]byte, size)
		receive := func() (int, error) {
			_, _, err := r.ReadFrom(buf)
			return 1, err
		}
		if r, ok := r.(addrPortReader); ok {
			receive = func() (int, error) {
				_, _, err := r.ReadFromUDPAddrPort(buf)
				return 1, err
			}
		}
		return receiveFor(d, r.SetReadDeadline, receive)
	}
}

// An addrPortReader makes no net.Addr for each datagram.
type addrPortReader interface {
	ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error)
}

// idleBetween tells what heap connections take on which nothing is sent, and of how many
// objects it is made. All peers are asked for as many as fit the kernel's ephemeral ports.
func idleBetween(pairs int) func(ends, time.Duration) (figures, error) {
	return func(e ends, _ time.Duration) (figures, error) {
		before := heap()
		all, err := manyPairs(e, pairs)
		if err != nil {
			return nil, err
		}
		after := heap()
		runtime.KeepAlive(all)
		return figures{
			"B/pair":       (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / float64(pairs),
			"objects/pair": (float64(after.HeapObjects) - float64(before.HeapObjects)) / float64(pairs),
		}, nil
	}
}

// heap is what the heap holds that is in use.
func heap() (m runtime.MemStats) {
	runtime.GC() // the second one empties what sync.Pools have put aside
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

// portsEach is how many connections go to one listener: ephemeral ports are some 28,000.
const portsEach = 20000

// manyPairs gives connections, both of whose ends are kept.
func manyPairs(e ends, n int) ([][2]net.Conn, error) {
	all := make([][2]net.Conn, 0, n)
	for len(all) < n {
		l, err := e.Listen()
		if err != nil {
			return nil, err
		}
		for len(all) < n {
			a, b, err := connected(e, l)
			if err != nil {
				return nil, fmt.Errorf("connection %d: %w", len(all), err)
			}
			if all = append(all, [2]net.Conn{a, b}); len(all)%portsEach == 0 {
				break
			}
		}
		l.Close()
	}
	return all, nil
}

// crowdSize is how many connections a crowd is.
const crowdSize = 100_000

// crowd has many connections idle, and then sends one byte on each of them.
func crowd(e ends, _ time.Duration) (figures, error) {
	before := heap()
	start := time.Now()
	all, err := manyPairs(e, crowdSize)
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	after := heap()
	start = time.Now()
	var in, out [1]byte
	arrived := 0
	for i, c := range all {
		out[0] = byte(i)
		if _, err := c[0].Write(out[:]); err != nil {
			return nil, err
		}
	}
	for i, c := range all {
		if _, err := c[1].Read(in[:]); err != nil {
			return nil, err
		}
		if in[0] == byte(i) {
			arrived++
		}
	}
	return figures{
		"conn/s":  crowdSize / took.Seconds(),
		"bytes/s": crowdSize / time.Since(start).Seconds(),
		"B/pair":  (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / crowdSize,
		"missing": float64(crowdSize - arrived),
	}, nil
}
