package conformance

import (
	"encoding/binary"
	"strings"

	. "sockeye"
)

// The flags of SO_TIMESTAMPING that most scenarios have.
const (
	txSoftware = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE
	txQueued   = txSoftware | SOF_TIMESTAMPING_TX_SCHED
	txAll      = txQueued | SOF_TIMESTAMPING_TX_ACK
	numbered   = SOF_TIMESTAMPING_OPT_ID
	timeOnly   = SOF_TIMESTAMPING_OPT_TSONLY
	numberTCP  = numbered | SOF_TIMESTAMPING_OPT_ID_TCP
	withCmsg   = SOF_TIMESTAMPING_OPT_CMSG
)

// sentTimes is SO_TIMESTAMPING of what is sent: the times come through the error queue.
func sentTimes() []Scenario {
	all := each([]kind{udp4, udp6, ping4, ping6, raw4, raw6}, []script{
		{"a datagram's times", func(x *calls, k kind) {
			c := x.sender(k)
			x.setInt(c, SO_TIMESTAMPING, txQueued)
			x.send(c, x.payload(k), 0)
			x.ready(c)
			x.sent(c, 300)
			x.sent(c, 20)
			x.ready(c)
			x.get(c, SO_ERROR)
			x.sent(c, 20)
		}},
		{"datagrams' numbers", func(x *calls, k kind) {
			c := x.sender(k)
			x.setInt(c, SO_TIMESTAMPING, txSoftware|numbered|timeOnly)
			for range 2 {
				x.send(c, x.payload(k), 0)
			}
			x.setInt(c, SO_TIMESTAMPING, txSoftware|timeOnly)
			x.send(c, x.payload(k), 0)
			x.setInt(c, SO_TIMESTAMPING, txSoftware|numbered|timeOnly)
			x.send(c, x.payload(k), 0)
			for range 5 {
				x.sent(c, 20)
			}
		}},
		{"where they went", func(x *calls, k kind) {
			c := x.sender(k)
			for _, o := range []AnyOption{IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS} {
				if level, _ := o.Number(); (level == SOL_IPV6) == (k.family == AF_INET6) {
					x.setInt(c, o, 1)
				}
			}
			for _, flags := range []int{txSoftware, txSoftware | withCmsg, txSoftware | withCmsg | timeOnly} {
				x.setInt(c, SO_TIMESTAMPING, flags)
				x.send(c, x.payload(k), 0)
				x.sent(c, 0)
			}
		}},
		{"for one send", func(x *calls, k kind) {
			c := x.sender(k)
			for _, flags := range []int{SOF_TIMESTAMPING_SOFTWARE, SOF_TIMESTAMPING_SOFTWARE | numbered | timeOnly} {
				x.setInt(c, SO_TIMESTAMPING, flags)
				x.send(c, x.payload(k), 0)
				for _, wish := range []int{SOF_TIMESTAMPING_TX_SCHED, txSoftware, SOF_TIMESTAMPING_TX_SOFTWARE, SOF_TIMESTAMPING_TX_ACK} {
					x.sendmsg(c, message(x.payload(k), Sockaddr{}, AppendInt(nil, SOL_SOCKET, SO_TIMESTAMPING.Name, wish), nil), 0)
					x.sent(c, 0)
				}
			}
			x.sendmsg(c, message("x", Sockaddr{}, AppendControl(nil, SOL_SOCKET, SO_TIMESTAMPING.Name, make([]byte, 8)), nil), 0)
		}},
		{"a number for one send", func(x *calls, k kind) {
			c := x.sender(k)
			id := AppendInt(nil, SOL_SOCKET, SCM_TS_OPT_ID, 77)
			x.sendmsg(c, message(x.payload(k), Sockaddr{}, id, nil), 0)
			x.setInt(c, SO_TIMESTAMPING, txSoftware|timeOnly)
			x.sendmsg(c, message(x.payload(k), Sockaddr{}, id, nil), 0)
			x.setInt(c, SO_TIMESTAMPING, txSoftware|numbered|timeOnly)
			x.sendmsg(c, message(x.payload(k), Sockaddr{}, id, nil), 0)
			x.send(c, x.payload(k), 0)
			x.sent(c, 0)
			x.sent(c, 0)
		}},
		{"times and SO_TIMESTAMPNS", func(x *calls, k kind) {
			c := x.sender(k)
			x.setInt(c, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE|timeOnly)
			x.send(c, x.payload(k), 0)
			x.sent(c, 0)
			x.setInt(c, SO_TIMESTAMPNS, 1)
			x.send(c, x.payload(k), 0)
			x.sent(c, 0)
			x.setInt(c, SO_TIMESTAMPING, txSoftware|timeOnly)
			x.send(c, x.payload(k), 0)
			x.sent(c, 0)
		}},
	})
	for i := range all {
		all[i].Needs.Sysctls = []string{pingAllowed}
	}
	all = append(all, each([]kind{udp4, udp6}, []script{
		{"a datagram that grows, or is cut", func(x *calls, k kind) {
			c := x.sender(k)
			x.setInt(c, SO_TIMESTAMPING, txSoftware|numbered)
			x.send(c, "one ", MSG_MORE)
			x.send(c, "two ", MSG_MORE)
			x.send(c, "three", 0)
			x.sent(c, 100)
			set(x, c, UDP_SEGMENT, 10)
			x.send(c, strings.Repeat("abcde", 5), 0)
			x.sent(c, 100)
			set(x, c, UDP_SEGMENT, 0)
			x.send(c, "alone", 0)
			x.sent(c, 100)
			x.sent(c, 100)
		}},
		{"times between errors", func(x *calls, k kind) {
			f := x.opened(k)
			x.setInt(f, recvErr(k), 1)
			x.setInt(f, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE|timeOnly)
			x.sendto(f, "nobody is there", 0, x.third(k))
			x.await(f, POLLERR)
			x.get(f, SO_ERROR)
			x.sent(f, 20)
			x.ready(f)
			x.get(f, SO_ERROR)
			x.sent(f, 20)
			x.sendto(f, "nobody is there", 0, x.third(k))
			x.sendto(f, "nobody is there", 0, x.third(k))
			x.sent(f, 20)
			x.ready(f)
			x.setInt(f, recvErr(k), 0)
			x.sent(f, 20)
		}},
		{"errors tell what came with them", func(x *calls, k kind) {
			f := x.opened(k)
			x.setInt(f, recvErr(k), 1)
			for _, o := range []AnyOption{SO_TIMESTAMPNS, IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS} {
				if level, _ := o.Number(); level == SOL_SOCKET || (level == SOL_IPV6) == (k.family == AF_INET6) {
					x.setInt(f, o, 1)
				}
			}
			x.sendto(f, "nobody is there", 0, x.third(k))
			x.await(f, POLLERR)
			x.sent(f, 20)
		}},
	})...)
	all = append(all, each([]kind{tcp4, tcp6}, []script{
		{"a stream's times", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.setInt(c, SO_TIMESTAMPING, txAll)
			x.send(c, "hello", 0)
			x.recv(a, 5, 0)
			x.sent(c, 300)
			x.sent(c, 300)
			x.sent(c, 300)
			x.ready(c)
			x.recvmsg(c, room(5, 256), MSG_ERRQUEUE)
		}},
		{"a stream's numbers", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "before", 0)
			x.recv(a, 6, 0)
			x.awaitOutq(c)
			x.setInt(c, SO_TIMESTAMPING, txAll|numbered|timeOnly)
			for _, data := range []string{"hello", "x", strings.Repeat("y", 1000)} {
				x.send(c, data, 0)
				x.recv(a, 1000, 0)
				for range 3 {
					x.sent(c, 20)
				}
			}
			x.setInt(c, SO_TIMESTAMPING, txAll|timeOnly)
			x.setInt(c, SO_TIMESTAMPING, txAll|numberTCP|timeOnly)
			x.send(c, "hello", 0)
			x.recv(a, 1000, 0)
			for range 3 {
				x.sent(c, 20)
			}
		}},
		{"a stream's sends that go together", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.setInt(c, SO_TIMESTAMPING, txAll|numbered|timeOnly)
			x.send(c, "one ", MSG_MORE)
			x.send(c, "two ", MSG_MORE)
			x.recvmsg(c, room(5, 256), MSG_ERRQUEUE)
			x.send(c, "three", 0)
			x.recv(a, 1000, 0)
			for range 3 {
				x.sent(c, 20)
			}
			x.recvmsg(c, room(5, 256), MSG_ERRQUEUE)
		}},
		{"a stream's send that asks for itself", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.setInt(c, SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE|numbered|timeOnly)
			x.send(c, "hello", 0)
			for _, wish := range []int{SOF_TIMESTAMPING_TX_SCHED, SOF_TIMESTAMPING_TX_ACK} {
				x.sendmsg(c, message("hello", Sockaddr{}, AppendInt(nil, SOL_SOCKET, SO_TIMESTAMPING.Name, wish), nil), 0)
				x.recv(a, 1000, 0)
				x.sent(c, 20)
			}
			x.sendmsg(c, message("hello", Sockaddr{}, AppendInt(nil, SOL_SOCKET, SCM_TS_OPT_ID, 5), nil), 0)
			x.sendmsg(c, message("hello", Sockaddr{}, AppendInt(nil, SOL_SOCKET, SO_TIMESTAMPING.Name, SOF_TIMESTAMPING_SOFTWARE), nil), 0)
		}},
		{"a stream's times where nobody listens", func(x *calls, k kind) {
			f := x.opened(k)
			x.setInt(f, SO_TIMESTAMPING, numbered)
			x.setInt(f, SO_TIMESTAMPING, txAll|timeOnly)
			x.connect(f, x.server(k))
			x.recvmsg(f, room(5, 256), MSG_ERRQUEUE)
		}},
	})...)
	return append(all, Scenario{Name: "udp4/flags", body: func(x *calls) {
		f := x.opened(udp4)
		for bit := range 32 {
			x.setInt(f, SO_TIMESTAMPING, 1<<bit)
			x.get(f, SO_TIMESTAMPING)
		}
		for _, v := range []int{numberTCP, 1<<12 | timeOnly, numbered | timeOnly} {
			x.setInt(f, SO_TIMESTAMPING, v)
		}
	}})
}

// sender is a socket of the kind that is connected to one that receives.
func (x *calls) sender(k kind) (c *fd) {
	if k.is("ping") {
		x.quietly(func() {
			c = x.opened(k)
			x.connect(c, loopback(k.family, 0))
		})
		return x.as("client", c)
	}
	c, _ = x.datagrams(k)
	return c
}

// payload is something that a socket of the kind may send.
func (x *calls) payload(k kind) string {
	switch k {
	case ping4:
		return "\x08\x00\x00\x00\x00\x00\x00\x01hello"
	case ping6:
		return "\x80\x00\x00\x00\x00\x00\x00\x01hello"
	}
	return "hello"
}

// sent receives up to size bytes of the next message of the error queue; of a stream it waits for one. Of a packet it
// tells what is the same on every run: the Ethernet header, the version of IP and how it ends.
func (x *calls) sent(f *fd, size int) {
	if v, _ := SO_TYPE.Get(f.s); v == SOCK_STREAM {
		x.awaitQuietly(f, POLLERR)
	}
	const frame = 14
	m := room(size, 256)
	n, err := f.s.Recvmsg(m, MSG_ERRQUEUE)
	if err != nil {
		x.log(counted(n, err), "recvmsg(%v, {%d}, MSG_ERRQUEUE)", f, size)
		return
	}
	data := received(m.Buffers[0], n, nil)
	if b := m.Buffers[0][:min(n, size)]; len(b) > frame && binary.BigEndian.Uint16(b) == 0 {
		data = sprintf("%d [%x] IPv%d ... %q", n, b[:frame], b[frame]>>4, b[max(frame+1, len(b)-5):])
		if len(b) < frame+20 {
			data = sprintf("%d [%x] IPv%d", n, b[:frame], b[frame]>>4)
		}
	}
	m.Buffers, m.N = nil, 0
	_, show := x.incoming(m)
	x.log(data+show[1:], "recvmsg(%v, {%d}, MSG_ERRQUEUE)", f, size)
}
