//go:build linux

package kernel_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"sockeye"
)

// numbered gives n messages that hold their numbers.
func numbered(n int, to sockeye.Sockaddr) []sockeye.Message {
	ms := make([]sockeye.Message, n)
	for i := range ms {
		ms[i] = sockeye.Message{Name: to, Buffers: [][]byte{binary.BigEndian.AppendUint32(nil, uint32(i))}}
	}
	return ms
}

func TestBatchesMayBeLargerThanTheKernelTakes(t *testing.T) {
	t.Parallel()
	const n = 3000 // more than UIO_MAXIOV twice
	t.Run("sendmmsg", func(t *testing.T) {
		t.Parallel()
		_, to := udp(t)
		c, _ := udp(t)
		ms := numbered(n, to)
		if sent, err := c.Sendmmsg(ms, 0); sent != n || err != nil {
			t.Fatalf("sendmmsg gives %d, %v", sent, err)
		}
		for i := range ms {
			if ms[i].N != 4 {
				t.Fatalf("message %d: N is %d after sending", i, ms[i].N)
			}
		}
	})
	t.Run("recvmmsg", func(t *testing.T) {
		t.Parallel()
		a, b := streamPair(t) // of which each message takes its four bytes
		var data []byte
		for _, m := range numbered(n, sockeye.Sockaddr{}) {
			data = append(data, m.Buffers[0]...)
		}
		must(a.Send(data, 0))(t)
		must(b.Recv(make([]byte, len(data)), sockeye.MSG_PEEK|sockeye.MSG_WAITALL))(t) // all is there
		ms := make([]sockeye.Message, n)
		for i := range ms {
			ms[i].Buffers = [][]byte{make([]byte, 4)}
		}
		if got, err := b.Recvmmsg(ms, 0); got != n || err != nil {
			t.Fatalf("recvmmsg gives %d, %v", got, err)
		}
		for i := range ms {
			if got := binary.BigEndian.Uint32(ms[i].Buffers[0]); ms[i].N != 4 || got != uint32(i) {
				t.Fatalf("message %d has %d bytes: number %d", i, ms[i].N, got)
			}
		}
	})
}

func TestABatchEndsAtTheMessageThatFails(t *testing.T) {
	t.Parallel()
	s, to := udp(t)
	c, _ := udp(t)
	ms := numbered(5, to)
	ms[3].Buffers = [][]byte{make([]byte, 65508)}
	n, err := c.Sendmmsg(ms, 0)
	if n != 3 || !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("sendmmsg gives %d, %v; want 3 and EMSGSIZE", n, err)
	}
	in := numbered(5, sockeye.Sockaddr{})
	if n, err := s.Recvmmsg(in, sockeye.MSG_DONTWAIT); n != 3 || err != nil {
		t.Errorf("recvmmsg gives %d, %v; want 3", n, err)
	}
}

func TestRecvmmsgGivesWhatCameBeforeItsLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		flags sockeye.MsgFlags
		limit func(s *sockeye.Socket) error
		fails bool
	}{
		{"MSG_DONTWAIT", sockeye.MSG_DONTWAIT, func(*sockeye.Socket) error { return nil }, false},
		{"MSG_WAITFORONE", sockeye.MSG_WAITFORONE, func(*sockeye.Socket) error { return nil }, false},
		{"SO_RCVTIMEO", 0, func(s *sockeye.Socket) error { return sockeye.SO_RCVTIMEO.Set(s, 10*time.Millisecond) }, false},
		{"a deadline", 0, func(s *sockeye.Socket) error { return s.SetReadDeadline(time.Now().Add(10 * time.Millisecond)) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, to := udp(t)
			c, _ := udp(t)
			must(c.Sendmmsg(numbered(3, to), 0))(t)
			check(t, tt.limit(s))
			n, err := s.Recvmmsg(numbered(5, sockeye.Sockaddr{}), tt.flags)
			if n != 3 || (err != nil) != tt.fails {
				t.Errorf("recvmmsg gives %d, %v", n, err)
			}
		})
	}
}

func TestSendmmsgOnAStreamStopsWithinAMessage(t *testing.T) {
	t.Parallel()
	a, _ := streamPair(t)
	check(t, sockeye.SO_SNDTIMEO.Set(a, 10*time.Millisecond))
	big := make([]byte, 32<<20)
	ms := []sockeye.Message{{Buffers: [][]byte{{1}}}, {Buffers: [][]byte{big}}, {Buffers: [][]byte{{2}}}}
	n, err := a.Sendmmsg(ms, 0)
	if n != 2 || err != nil || ms[1].N == 0 || ms[1].N == len(big) || ms[2].N != 0 {
		t.Errorf("sendmmsg gives %d, %v, and sent %d, %d and %d bytes; want all of the first, part of the second, no third",
			n, err, ms[0].N, ms[1].N, ms[2].N)
	}
}

func TestGSOSendsManyDatagramsAtOnceAndGROReceivesThemSo(t *testing.T) {
	t.Parallel()
	s, to := udp(t)
	c, _ := udp(t)
	const size, n = 1000, 10
	payload := make([]byte, size*n)
	for i := range payload {
		payload[i] = byte(i / size)
	}
	out := sockeye.Message{Name: to, Buffers: [][]byte{payload}, Control: sockeye.AppendSegmentSize(nil, size)}
	if sent := must(c.Sendmsg(&out, 0))(t); sent != len(payload) {
		t.Fatalf("sendmsg gives %d", sent)
	}
	buf := make([]byte, 65536)
	for i := range n {
		if got := must(s.Recv(buf, 0))(t); got != size || buf[0] != byte(i) {
			t.Fatalf("datagram %d: %d bytes of %d", i, got, buf[0])
		}
	}

	check(t, sockeye.UDP_GRO.Set(s, true))
	must(c.Sendmsg(&out, 0))(t)
	in := sockeye.Message{Buffers: [][]byte{buf}, Control: make([]byte, 64)}
	got := must(s.Recvmsg(&in, 0))(t)
	segment := 0
	for c := range in.ControlMessages() {
		if c.Level == sockeye.UDP_GRO.Level && c.Type == sockeye.UDP_GRO.Name {
			segment, _ = c.Int()
		}
	}
	if segment != size || !slices.Equal(buf[:got], payload) {
		t.Errorf("received %d bytes in segments of %d", got, segment)
	}
}
