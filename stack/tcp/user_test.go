package tcp_test

import (
	"bytes"
	"slices"
	"testing"

	"sockeye/internal/leak"
	"sockeye/packet"
	"sockeye/stack/tcp"
)

func TestBlocksPassThroughWithoutACopy(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	j := join(t, tcp.Config{})
	mine := packet.Of([]byte("one block"))
	ok, err := j.c[0].Push(j.now, mine.Retain(), 0)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	j.carry()
	var l packet.List
	defer l.Release()
	if n, err := j.c[1].Take(j.now, &l, 100); n != 9 || err != nil {
		t.Fatal(n, err)
	}
	if got := l.Slices()[0].Bytes(); &got[0] != &mine.Bytes()[0] {
		t.Error("the bytes that arrived lie somewhere else")
	}
	mine.Release()
}

func TestPeekDiscardAndReadAgree(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	j := join(t, tcp.Config{NoDelay: true})
	for _, s := range []string{"abc", "defgh", "ij"} {
		if _, err := j.c[0].Write(j.now, []byte(s), 0); err != nil {
			t.Fatal(err)
		}
		j.carry()
	}
	c := j.c[1]
	buf := make([]byte, 4)
	for off, want := range map[int]string{0: "abcd", 2: "cdef", 7: "hij", 10: ""} {
		if n, err := c.Peek(buf, off); string(buf[:n]) != want || err != nil {
			t.Errorf("peek at %d gives %q, %v; want %q", off, buf[:n], err, want)
		}
	}
	if n, _ := c.Discard(j.now, 5); n != 5 {
		t.Errorf("discarded %d bytes", n)
	}
	all := make([]byte, 100)
	n, err := c.Read(j.now, all)
	if !bytes.Equal(all[:n], []byte("fghij")) || err != nil {
		t.Errorf("the rest is %q, %v", all[:n], err)
	}
}

func TestWriteFillsTheBufferAndNoMore(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	j := join(t, tcp.Config{SndBuf: 10000})
	c := j.c[0]
	if n, err := c.Write(j.now, make([]byte, 20000), 0); n != 10000 || err != nil {
		t.Fatalf("took %d bytes, %v", n, err)
	}
	if n, _ := c.Write(j.now, make([]byte, 1), 0); n != 0 || c.Writable() {
		t.Errorf("a full buffer took %d bytes, writable %v", n, c.Writable())
	}
	c.Events()
	j.carry()
	if e := c.Events(); e&tcp.EventWritable == 0 || !c.Writable() {
		t.Errorf("after everything was acknowledged events are %v, writable %v", e, c.Writable())
	}
}

func TestNotsentLowatHoldsWritersBack(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	j := join(t, tcp.Config{SndBuf: 1 << 20, NotsentLowat: 1000})
	c := j.c[0]
	if _, err := c.Write(j.now, make([]byte, 50_000), 0); err != nil {
		t.Fatal(err)
	}
	if c.Writable() {
		t.Error("it is writable with more than the limit not sent")
	}
	j.carry()
	j.pass(50 * tcp.Millisecond)
	if !c.Writable() {
		t.Error("it is not writable though all was sent")
	}
}

// A peer that sends single bytes must not make us keep a block for each.
func TestTinySegmentsAreKeptTogether(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	p := newPlayer(t, &scenario{open: "mss 1000"})
	p.handshake()
	const n = 5000
	for i := range n {
		s := p.parse(". 1 ack 1 win 1000")
		s.Seq = s.Seq.Add(i)
		s.Payload = stream(i, 1)
		p.conn.Input(p.now, &s)
		p.collect()
	}
	var l packet.List
	defer l.Release()
	if got, err := p.conn.Take(p.now, &l, n); got != n || err != nil {
		t.Fatal(got, err)
	}
	held := 0
	for i, s := range l.Slices() {
		if i == 0 || s.Footprint() > 0 {
			held += s.Footprint()
		}
	}
	if held > 4*n {
		t.Errorf("%d bytes are held in %d", n, held)
	}
	b := make([]byte, n)
	l.CopyTo(b, 0)
	for i, v := range b {
		if v != byteAt(i) {
			t.Fatalf("byte %d is %d", i, v)
		}
	}
}

func TestKeysAndFlowsGiveDifferentNumbers(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	p := newPlayer(t, &scenario{})
	other := p.flow
	other.Local, other.Remote = other.Remote, other.Local
	h := tcp.NewHost(tcp.Key{7})
	if p.h.ISN(start, p.flow) == p.h.ISN(start, other) || p.h.ISN(start, p.flow) == h.ISN(start, p.flow) {
		t.Error("initial sequence numbers repeat")
	}
	if d := p.h.ISN(start+64*tcp.Microsecond, p.flow).Diff(p.h.ISN(start, p.flow)); d != 1000 {
		t.Errorf("64 µs move it by %d, want 1000 (RFC 6528: the clock runs)", d)
	}
	if p.h.TSOffset(p.flow) == h.TSOffset(p.flow) {
		t.Error("timestamp offsets repeat")
	}
}

// Nor must one that sends them out of order.
func TestTinySegmentsOutOfOrderAreBounded(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	p := newPlayer(t, &scenario{open: "mss 1000,sackOK"})
	p.handshake()
	for i := range 20000 {
		s := p.parse(". 1 ack 1 win 1000")
		s.Seq = s.Seq.Add(2 + 2*i)
		s.Payload = stream(i, 1)
		p.conn.Input(p.now, &s)
		p.collect()
		p.out = nil
	}
	if p.h.TCPOFOQueue > 1000 || p.h.TCPOFODrop == 0 {
		t.Errorf("%d single bytes out of order were kept, %d dropped", p.h.TCPOFOQueue, p.h.TCPOFODrop)
	}
}

// A writer that has waited for the host's lock tells a time that is over.
func TestALateCallDoesNotTurnTimeBack(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	j := join(t, tcp.Config{NoDelay: true})
	c, h := j.c[0], j.h[0]
	for _, after := range []tcp.Time{10 * tcp.Millisecond, 3 * tcp.Millisecond, 11 * tcp.Millisecond} {
		if _, err := c.Write(j.now+after, []byte("x"), 0); err != nil {
			t.Fatal(err)
		}
	}
	var stamps []uint32
	for _, s := range h.Out {
		stamps = append(stamps, s.Options.TSVal-h.Out[0].Options.TSVal)
	}
	if want := []uint32{0, 0, 1}; !slices.Equal(stamps, want) {
		t.Errorf("timestamps are %d ms from the first, want %d", stamps, want)
	}
	if info := c.Info(j.now); info.LastDataSent != 0 {
		t.Errorf("data was last sent %v ago", info.LastDataSent)
	}
}
