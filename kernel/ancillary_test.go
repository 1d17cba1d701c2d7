//go:build linux

package kernel_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// ipVersions are the options that differ between IPv4 and IPv6.
var ipVersions = []struct {
	name             string
	loopback         sockeye.Sockaddr
	pktinfo          sockeye.Option[bool]
	recvTTL, recvTOS sockeye.Option[bool]
	ttl, tos         sockeye.Option[int]
	ttlMessage       sockeye.Option[int]
	recvErr          sockeye.Option[bool]
	origin           sockeye.ErrorOrigin
	typ, code        uint8 // of port unreachable
}{
	{"IPv4", loopback4, sockeye.IP_PKTINFO, sockeye.IP_RECVTTL, sockeye.IP_RECVTOS, sockeye.IP_TTL, sockeye.IP_TOS,
		sockeye.IP_TTL, sockeye.IP_RECVERR, sockeye.SO_EE_ORIGIN_ICMP, 3, 3},
	{"IPv6", loopback6, sockeye.IPV6_RECVPKTINFO, sockeye.IPV6_RECVHOPLIMIT, sockeye.IPV6_RECVTCLASS, sockeye.IPV6_UNICAST_HOPS,
		sockeye.IPV6_TCLASS, sockeye.IPV6_HOPLIMIT, sockeye.IPV6_RECVERR, sockeye.SO_EE_ORIGIN_ICMP6, 1, 4},
}

func TestAncillaryDataOfDatagrams(t *testing.T) {
	t.Parallel()
	lo, err := net.InterfaceByName("lo")
	check(t, err)
	for _, v := range ipVersions {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, v.loopback.Family(), sockeye.SOCK_DGRAM, 0)
			check(t, s.Bind(v.loopback))
			c := open(t, v.loopback.Family(), sockeye.SOCK_DGRAM, 0)
			for _, o := range []sockeye.Option[bool]{v.pktinfo, v.recvTTL, v.recvTOS, sockeye.SO_TIMESTAMPNS} {
				check(t, o.Set(s, true))
			}
			check(t, v.ttl.Set(c, 42))
			check(t, v.tos.Set(c, 0x10))
			before := time.Now()
			must(c.Sendto([]byte("x"), 0, must(s.Getsockname())(t)))(t)
			m := sockeye.Message{Buffers: [][]byte{make([]byte, 8)}, Control: make([]byte, 256)}
			must(s.Recvmsg(&m, 0))(t)
			var ttl, tos int
			var info sockeye.Pktinfo
			var stamp time.Time
			for c := range m.ControlMessages() {
				if i, ok := c.Pktinfo(); ok {
					info = i
				}
				if at, ok := c.Timestamp(); ok {
					stamp = at
				}
				switch {
				case c.Level == v.ttlMessage.Level && c.Type == v.ttlMessage.Name:
					ttl, _ = c.Int()
				case c.Level == v.tos.Level && c.Type == v.tos.Name:
					tos, _ = c.Int()
				}
			}
			if ttl != 42 || tos != 0x10 {
				t.Errorf("TTL %d and TOS %#x, want 42 and 0x10", ttl, tos)
			}
			if info.Ifindex != lo.Index || info.Dst != v.loopback.Addr() {
				t.Errorf("came in on interface %d to %v", info.Ifindex, info.Dst)
			}
			if stamp.Before(before.Round(0)) || stamp.After(time.Now()) {
				t.Errorf("came in at %v, was sent at %v", stamp, before)
			}
		})
	}
}

func TestTimestampInMicroseconds(t *testing.T) {
	t.Parallel()
	s, at := udp(t)
	check(t, sockeye.SO_TIMESTAMP.Set(s, true))
	before := time.Now().Truncate(time.Microsecond)
	must(s.Sendto([]byte("x"), 0, at))(t)
	m := sockeye.Message{Buffers: [][]byte{make([]byte, 8)}, Control: make([]byte, 64)}
	must(s.Recvmsg(&m, 0))(t)
	for c := range m.ControlMessages() {
		if stamp, ok := c.Timestamp(); ok && !stamp.Before(before) && !stamp.After(time.Now()) {
			return
		}
	}
	t.Error("no timestamp, or an impossible one")
}

func TestPktinfoChoosesTheSource(t *testing.T) {
	t.Parallel()
	s, to := udp(t)
	c := open(t, sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
	source := netip.MustParseAddr("127.0.0.2")
	out := sockeye.Message{Name: to, Buffers: [][]byte{{1}}, Control: sockeye.AppendPktinfo4(nil, 0, source)}
	must(c.Sendmsg(&out, 0))(t)
	_, from, err := s.Recvfrom(make([]byte, 1), 0)
	check(t, err)
	if from.Addr() != source {
		t.Errorf("came from %v, want %v", from.Addr(), source)
	}
}

func TestTheErrorQueueTellsOfAClosedPort(t *testing.T) {
	t.Parallel()
	for _, v := range ipVersions {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			closed := open(t, v.loopback.Family(), sockeye.SOCK_DGRAM, 0)
			check(t, closed.Bind(v.loopback))
			to := must(closed.Getsockname())(t)
			check(t, closed.Connect(to)) // takes from itself only
			s := open(t, v.loopback.Family(), sockeye.SOCK_DGRAM, 0)
			check(t, v.recvErr.Set(s, true))
			must(s.Sendto([]byte("lost"), 0, to))(t)

			fds := []sockeye.PollFd{{Socket: s}}
			must(kernel.Host().Poll(context.Background(), fds, -1))(t)
			if fds[0].Revents != sockeye.POLLERR {
				t.Errorf("poll gives %v", fds[0].Revents)
			}
			m := sockeye.Message{Buffers: [][]byte{make([]byte, 64)}, Control: make([]byte, 256)}
			n := must(s.Recvmsg(&m, sockeye.MSG_ERRQUEUE))(t)
			if string(m.Buffers[0][:n]) != "lost" || m.Name != to || m.Flags&sockeye.MSG_ERRQUEUE == 0 {
				t.Errorf("the queue gives %q to %v with %v", m.Buffers[0][:n], m.Name, m.Flags)
			}
			want := sockeye.ExtendedError{Errno: syscall.ECONNREFUSED, Origin: v.origin, Type: v.typ, Code: v.code, Offender: v.loopback}
			found := false
			for c := range m.ControlMessages() {
				if e, ok := c.ExtendedError(); ok {
					found = true
					if e != want {
						t.Errorf("got %+v, want %+v", e, want)
					}
				}
			}
			if !found {
				t.Error("no extended error")
			}
			if _, err := s.Recvmsg(&m, sockeye.MSG_ERRQUEUE); !errors.Is(err, syscall.EAGAIN) {
				t.Errorf("an empty queue gives %v, want EAGAIN", err)
			}
		})
	}
}

func TestZerocopyTellsOfItsEnd(t *testing.T) {
	t.Parallel()
	a, b := streamPair(t)
	check(t, sockeye.SO_ZEROCOPY.Set(a, true))
	data := noise(100_000)
	got := readAll(b)
	const sends = 3
	for range sends {
		must(a.Send(data, sockeye.MSG_ZEROCOPY|sockeye.MSG_DONTWAIT))(t)
	}
	check(t, a.Shutdown(sockeye.SHUT_WR))
	got()
	for done := uint32(0); done < sends; {
		must(kernel.Host().Poll(context.Background(), []sockeye.PollFd{{Socket: a}}, -1))(t)
		m := sockeye.Message{Control: make([]byte, 256)}
		must(a.Recvmsg(&m, sockeye.MSG_ERRQUEUE))(t)
		for c := range m.ControlMessages() {
			e, ok := c.ExtendedError()
			if !ok || e.Errno != 0 || e.Origin != sockeye.SO_EE_ORIGIN_ZEROCOPY || e.Info != done {
				t.Fatalf("got %+v after %d", e, done)
			}
			done = e.Data + 1 // the calls from Info to Data are done
		}
	}
}
