package link_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/wire"
)

// frame is a frame as it is on the stream.
func frame(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }

// piped gives a link and the other end of its stream.
func piped(t *testing.T, o link.StreamOptions) (*link.Stream, net.Conn) {
	near, far := net.Pipe()
	s := link.NewStream(network(t), near, o)
	t.Cleanup(func() { s.Close(); far.Close() })
	return s, far
}

func TestFramesOfAStreamAreInQEMUsFormat(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	s, far := piped(t, link.StreamOptions{})
	spec := spec{ethernet: true, from: station1, to: station2, slices: []int{3, 2000, 997}, gso: 1000, flags: wire.ACK}
	s.Send(spec.build())
	var all []byte
	for range 3 {
		var head [4]byte
		if _, err := io.ReadFull(far, head[:]); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(far, b); err != nil {
			t.Fatal(err)
		}
		p := parse(t, b, spec)
		if !p.valid || len(b) != 14+20+20+1000 {
			t.Errorf("a frame of %d bytes, checksum valid %v", len(b), p.valid)
		}
		all = append(all, p.payload...)
	}
	equal(t, "payload", all, payload(3000))

	got := &sink{seen: make(chan arrival, 3)}
	s.Attach(got)
	want := spec.build().AppendTo(nil)
	two := append(frame(want), frame(want[:60])...)
	for _, part := range [][]byte{two[:2], two[2:5], two[5:700], two[700:]} {
		if _, err := far.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "first frame", (<-got.seen).data, want)
	if a := <-got.seen; len(a.data) != 60 || a.sum != packet.SumUnknown {
		t.Errorf("second frame: %d bytes, checksum marked %d", len(a.data), a.sum)
	}
}

func TestTwoStreamsMakeALink(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	loop := network(t)
	near, far := net.Pipe()
	a, b := link.NewStream(loop, near, link.StreamOptions{IP: true}), link.NewStream(loop, far, link.StreamOptions{IP: true})
	got := &sink{seen: make(chan arrival, 100)}
	b.Attach(got)
	for i := range 100 {
		a.Send(numbered(i, 1000))
	}
	for i := range 100 {
		if n := number(<-got.seen); n != i {
			t.Fatalf("packet %d is %d", i, n)
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	<-b.Done()
	if err := b.Err(); !errors.Is(err, io.EOF) {
		t.Errorf("the other end has ended with %v", err)
	}
	if err := a.Err(); err != nil {
		t.Errorf("the end that was closed says %v", err)
	}
	b.Send(datagram(1))
	if b.Dropped() != 1 {
		t.Errorf("%d packets were dropped after the end", b.Dropped())
	}
}

func TestAStreamThatLiesIsClosed(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	good := spec{ethernet: true, slices: []int{100}}.build().AppendTo(nil)
	for _, tt := range []struct {
		name string
		send []byte
		want string
		is   error
	}{
		{"HTTP", []byte("GET / HTTP/1.1\r\n"), "link: the peer announced a frame of 1195725856 bytes: " +
			"Ethernet frames have 14 to 65553, after their length in 4 bytes, big endian", nil},
		{"no bytes", frame(nil), "link: the peer announced a frame of 0 bytes: ", nil},
		{"one byte less than an Ethernet header", frame(good[:13]), "link: the peer announced a frame of 13 bytes: ", nil},
		{"one byte more than the most", frame(make([]byte, 65554)), "link: the peer announced a frame of 65554 bytes: ", nil},
		{"an end within the length", []byte{0, 0}, "link: the stream ended within the length of a frame", io.ErrUnexpectedEOF},
		{"an end within a frame", frame(good)[:50], "link: reading a frame, 46 of 154 bytes: unexpected EOF", io.ErrUnexpectedEOF},
		{"an end behind the length", frame(good)[:4], "link: reading a frame, 0 of 154 bytes: unexpected EOF", io.ErrUnexpectedEOF},
		{"an end between frames", nil, "link: the peer closed the stream: EOF", io.EOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, far := piped(t, link.StreamOptions{})
			got := attach(s)
			far.Write(frame(good)) // what came before is not lost
			far.Write(tt.send)     // may fail, as the link closes while it is read
			far.Close()
			<-s.Done()
			if err := s.Err(); err == nil || !strings.HasPrefix(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("ended with %v", err)
			}
			if len(got.arrivals()) != 1 {
				t.Errorf("%d frames arrived", len(got.arrivals()))
			}
		})
	}
}

func TestAPeerThatDoesNotReadFillsABoundedQueue(t *testing.T) {
	leak.Check(t)
	for _, tt := range []struct {
		name    string
		options link.StreamOptions
		kept    int
	}{
		{"of packets", link.StreamOptions{IP: true, QueuePackets: 10}, 10},
		{"of bytes", link.StreamOptions{IP: true, QueueBytes: 5500}, 5},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, far := piped(t, tt.options)
			s.Send(numbered(0, 972))
			synctest.Wait() // it is being written
			for i := range 100 {
				s.Send(numbered(i+1, 972))
			}
			if d := s.Dropped(); int(d) != 100-tt.kept {
				t.Errorf("%s: %d of 100 were dropped, want %d", tt.name, d, 100-tt.kept)
			}
			b := make([]byte, (tt.kept+1)*1004) // and what was kept comes
			if _, err := io.ReadFull(far, b); err != nil {
				t.Error(err)
			}
			for i := range tt.kept + 1 {
				if n := number(arrival{data: b[i*1004+4:]}); n != i {
					t.Errorf("%s: packet %d is %d", tt.name, i, n)
				}
			}
			s.Close()
		})
	}
}

func TestCloseEndsAStreamWhoseNetworkStandsStill(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		s, far := piped(t, link.StreamOptions{IP: true})
		s.Send(datagram(1)) // nobody reads it
		blocked, free := make(chan struct{}), make(chan struct{})
		s.Attach(blocker{blocked, free})
		far.Write(frame(datagram(1).AppendTo(nil)))
		<-blocked
		closed := make(chan struct{})
		go func() { s.Close(); close(closed) }()
		time.Sleep(time.Second)
		select {
		case <-closed:
			t.Error("Close did not wait for the goroutine that delivers")
		default:
		}
		close(free)
		<-closed
	})
}

func TestAStreamsGoroutinesEndWithItsNetwork(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine stays
		near, far := net.Pipe()
		loop := network(t)
		s := link.NewStream(loop, near, link.StreamOptions{IP: true})
		loop.Close()
		far.Write(frame(datagram(1).AppendTo(nil))) // nobody will deliver it
		synctest.Wait()
		s.Close()
		far.Close()
	})
}

func TestAStreamDoesNotFillTheLoopFasterThanItIsEmptied(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		s, far := piped(t, link.StreamOptions{IP: true})
		blocked, free := make(chan struct{}), make(chan struct{})
		s.Attach(blocker{blocked, free})
		one := frame(numbered(0, 972).AppendTo(nil))
		written := 0
		go func() {
			for range 10000 {
				if _, err := far.Write(one); err != nil {
					return
				}
				written++
			}
		}()
		<-blocked
		synctest.Wait()
		if written > 200 {
			t.Errorf("%d frames were read while the network stood still", written)
		}
		s.Attach(nil)
		close(free)
		synctest.Wait()
		if written != 10000 {
			t.Errorf("%d frames were read", written)
		}
		s.Close()
	})
}

func FuzzStream(f *testing.F) {
	good := frame(spec{ethernet: true, slices: []int{100}}.build().AppendTo(nil))
	f.Add(good, 3)
	f.Add(append(bytes.Clone(good), good...), 1000)
	f.Add([]byte("GET / HTTP/1.1\r\n"), 1)
	f.Fuzz(func(t *testing.T, b []byte, chunk int) {
		near, far := net.Pipe()
		s := link.NewStream(network(t), near, link.StreamOptions{})
		got := attach(s)
		var want int
		for rest := b; len(rest) >= 4; want++ {
			n := uint64(binary.BigEndian.Uint32(rest))
			if n < 14 || n > 65553 || uint64(len(rest)-4) < n {
				break
			}
			rest = rest[4+n:]
		}
		go func() {
			defer far.Close()
			for rest := b; len(rest) > 0; {
				n := min(len(rest), max(1, chunk))
				if _, err := far.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		}()
		<-s.Done()
		if len(got.arrivals()) != want || s.Err() == nil {
			t.Errorf("%d frames of %d, then %v", len(got.arrivals()), want, s.Err())
		}
	})
}
