package gateway

import (
	"net/netip"

	"sockeye"
	"sockeye/relay"
)

// Publish relays what comes to a bound socket of another host, listening or of SOCK_DGRAM, to an
// address inside, until Close. The socket is the gateway's from here on. Who is called inside sees the
// gateway's own address.
func (g *Gateway) Publish(s *sockeye.Socket, to netip.AddrPort) {
	protocol := "udp"
	typ, err := sockeye.SO_TYPE.Get(s)
	if typ == sockeye.SOCK_STREAM {
		protocol = "tcp"
	}
	g.run(func() {
		if err == nil {
			err = relay.Serve(g.ctx, s, relay.At(g.inside, typ, sockeye.SockaddrInet(to)), func(e relay.Event) {
				g.Log(Event{Protocol: protocol, From: e.Peer.AddrPort(), To: to, Opened: e.Opened, Sent: e.Sent, Received: e.Received, Err: e.Err})
			})
		}
		if err != nil {
			g.Log(Event{Protocol: protocol, To: to, Err: err})
		}
	})
}
