package interop_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
)

// A star is a server and its clients, each at the end of a long cable to one switch. The
// server's name is "server".
type star struct {
	server  *stack.Host
	clients []*stack.Host
	cables  []*link.Impaired // of the clients: link.Out is the way to the switch
}

// ways are what the clients' cables are like.
var ways = []struct {
	name   string
	faults link.Faults
	loop   func(testing.TB) *event.Loop
}{
	{"50 ms away", link.Faults{Delay: 50 * time.Millisecond}, leak.Loop},
	{"50 ms away with loss", link.Faults{Delay: 50 * time.Millisecond, Loss: 0.02}, leak.Loop},
	{"50 ms away with loss in lockstep", link.Faults{Delay: 50 * time.Millisecond, Loss: 0.02},
		func(testing.TB) *event.Loop { return event.NewLockstep(synctest.Wait) }},
}

// everyWay runs f in a bubble for each of the ways, with a star of so many clients.
func everyWay(t *testing.T, clients int, f func(t *testing.T, s *star)) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, newStar(t, clients, way.loop(t), way.faults)) })
		})
	}
}

// newStar makes a star, which ends with the test.
func newStar(t *testing.T, clients int, loop *event.Loop, f link.Faults) *star {
	ether := link.NewSwitch(loop, link.SwitchOptions{})
	host := func(n int, name string, port link.Port) *stack.Host {
		addr := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), 24)
		return stack.NewHost(stack.Config{
			Name: name, Loop: loop, Privileged: true, Seed: uint64(n),
			Hosts:      map[string][]netip.Addr{"server": {netip.AddrFrom4([4]byte{10, 0, 0, 1})}},
			Interfaces: []stack.Interface{{Name: "eth0", Port: port, Addrs: []netip.Prefix{addr}}},
		})
	}
	s := &star{server: host(1, "server", ether.Port([6]byte{}))}
	for i := range clients {
		cable, err := link.Impair(loop, ether.Port([6]byte{}), link.Impairment{Out: f, In: f, Seed: uint64(i)})
		if err != nil {
			t.Fatal(err)
		}
		s.cables = append(s.cables, cable)
		s.clients = append(s.clients, host(i+2, fmt.Sprintf("client%d", i), cable))
	}
	t.Cleanup(func() {
		s.server.Close()
		for _, c := range s.clients {
			c.Close()
		}
	})
	return s
}

// cut ends all traffic of client i, or lets it go on with the faults.
func (s *star) cut(t *testing.T, i int, cut bool, f link.Faults) {
	f.Partition = cut
	for _, d := range []link.Direction{link.Out, link.In} {
		if err := s.cables[i].Set(d, f); err != nil {
			t.Fatal(err)
		}
	}
}

// listen waits for streams at the server.
func (s *star) listen(t *testing.T, address string) net.Listener {
	l, err := s.server.Sockets().Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// packets is a UDP socket as a mere net.PacketConn with buffers. Libraries of QUIC take the
// method SyscallConn for the promise of a file descriptor, which hosts in Go do not have.
type packets struct {
	net.PacketConn
	buffers
}

type buffers interface {
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

// listenPacket opens a UDP socket.
func listenPacket(t *testing.T, h *stack.Host, address string) net.PacketConn {
	c, err := h.Sockets().ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	return packets{c, c.(*sockeye.UDPConn)}
}
