//go:build linux && !race

// Under the race detector sync.Pool drops at random what it is given, so that
// allocations can't be counted.

package sockeye_test

import (
	"net"
	"testing"

	"sockeye"
	"sockeye/kernel"
)

func TestReadsAndWritesAllocateNothing(t *testing.T) {
	buf := make([]byte, 64)
	for _, network := range []string{"tcp", "unix", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			c, s := connPair(t, network)
			if n := testing.AllocsPerRun(100, func() {
				c.Write(buf)
				s.Read(buf)
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
	for _, network := range []string{"udp4", "udp6", "udp"} {
		t.Run(network, func(t *testing.T) {
			address := localAddress(t, network)
			if network == "udp" {
				address = ":0" // both families
			}
			a := must(kernel.Host().ListenPacket(network, address))(t).(*sockeye.UDPConn)
			b := must(kernel.Host().ListenPacket(network, localAddress(t, network)))(t).(*sockeye.UDPConn)
			defer a.Close()
			defer b.Close()
			to := b.LocalAddr().(*net.UDPAddr).AddrPort()
			if n := testing.AllocsPerRun(100, func() {
				a.WriteToUDPAddrPort(buf, to)
				b.ReadFromUDPAddrPort(buf)
				a.WriteMsgUDPAddrPort(buf, nil, to)
				b.ReadMsgUDPAddrPort(buf, nil)
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
