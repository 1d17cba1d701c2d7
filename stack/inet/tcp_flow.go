package inet

import (
	"net/netip"
	"slices"
	"syscall"

	"sockeye/stack/sock"
	"sockeye/stack/tcp"
	"sockeye/wire"
)

// A flow names a connection: the two addresses, and for link-local ones the link.
type flow struct {
	local, remote         wire.Addr
	localPort, remotePort uint16
	zone                  int32
}

// zoneOf is the zone of a flow to an address.
func zoneOf(remote wire.Addr, ifindex int) int32 {
	if needsScope(remote) {
		return int32(ifindex)
	}
	return 0
}

func (f flow) key() flow { return f }

// names is the flow for package tcp.
func (f flow) names() tcp.Flow {
	return tcp.Flow{
		Local:  netip.AddrPortFrom(f.local.Netip(), f.localPort),
		Remote: netip.AddrPortFrom(f.remote.Netip(), f.remotePort),
	}
}

// A segmentTaker is whatever a flow has at this host: a connection, one whose handshake
// is under way, or what is left of one.
type segmentTaker interface {
	// take handles a segment, and its payload.
	take(h *header, g *tcp.Segment)
	// info is what ss(8) shows of it.
	info() sock.SocketInfo
	// forget ends it without a word to the peer.
	forget()
	// key is the flow, and next what follows in the flowTable.
	key() flow
	next() *segmentTaker
}

// A hold is what keeps a TCP port: a socket that is bound to it, or all connections of
// one local address together.
type hold struct {
	claim  *claim
	refs   int32 // connections; 0: this is a socket's own
	dialed bool  // by connect alone: others may connect from the port as well
}

// A sharedHold is one with the claim that it stands for.
type sharedHold struct {
	hold
	claim claim
}

func (h *hold) claimed() *claim { return h.claim }

// A tcpLayer is what the TCP sockets of a host share.
type tcpLayer struct {
	host      *tcp.Host
	ports     ports[*hold]
	listeners map[uint16][]*TCP
	flows     flowTable
	cookies   fastOpenCookies
	lingering int // flows in TIME-WAIT

	looped   []looped
	timed    []timed            // whose timers are to be set
	in       tcp.Segment        // scratch
	connect  tcp.ConnectOptions // scratch
	conn     tcp.Config         // scratch
	config   tcp.Config         // of sockets that have set nothing
	options  tcpOptions         // likewise
	defaults sock.DefaultOptions
}

func newTCPLayer(key tcp.Key, seed uint64) tcpLayer {
	return tcpLayer{
		host: tcp.NewHost(key), ports: make(ports[*hold]), listeners: make(map[uint16][]*TCP),
		flows: flowTable{key: seed},
	}
}

// share is a hold that a connection has together with others of the same claim.
func (l *tcpLayer) share(c claim, dialed bool) *hold {
	c.listens = false
	for _, h := range l.ports[c.port] {
		if h.refs > 0 && h.dialed == dialed && *h.claim == c {
			h.refs++
			return h
		}
	}
	all := &sharedHold{claim: c}
	all.hold = hold{claim: &all.claim, refs: 1, dialed: dialed}
	l.ports.add(&all.hold)
	return &all.hold
}

// drop gives a hold back.
func (l *tcpLayer) drop(h *hold) {
	if h.refs--; h.refs <= 0 {
		l.ports.release(h)
	}
}

// claimFlow makes sure that no other connection has the socket's flow, and gives it a
// port if it has none (inet_hash_connect). A flow in TIME-WAIT may be taken over, from a
// sequence number on.
func (t *TCP) claimFlow() (from tcp.Seq, err error) {
	l := &t.stack.tcp
	f := t.key()
	if t.claim.port != 0 {
		f.localPort = t.claim.port
		from, ok := l.free(f, true)
		if !ok {
			return 0, syscall.EADDRNOTAVAIL
		}
		return from, nil
	}
	low, high := t.portRange()
	n := int(high) - int(low) + 1
	start := t.stack.rand.IntN(n) // RFC 6056 section 3.3.1
	for i := range n {
		f.localPort = low + uint16((start+i)%n)
		if slices.ContainsFunc(l.ports[f.localPort], func(h *hold) bool { return !h.dialed }) {
			continue
		}
		if from, ok := l.free(f, false); ok {
			t.claim.port = f.localPort
			t.hold = l.share(t.claim, true)
			return from, nil
		}
	}
	return 0, syscall.EADDRNOTAVAIL
}

// free tells whether a connection may have the flow. From a port that it was bound to it need not wait
// until one in TIME-WAIT has rested for a second (tcp_twsk_unique).
func (l *tcpLayer) free(f flow, bound bool) (from tcp.Seq, ok bool) {
	switch old := l.flows.get(f).(type) {
	case nil:
		return 0, true
	case *lingering:
		if from, ok = old.tw.MayConnect(l.host, old.stack.now(), f.remote.IsLoopback(), bound); ok {
			old.forget()
		}
	}
	return from, ok
}
