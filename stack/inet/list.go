package inet

import (
	"cmp"
	"maps"
	"slices"

	"sockeye"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// Sockets are the sockets that receive: raw ones, and those that have a port, by port. Of
// TCP they are the listeners, and all connections from the handshake to TIME-WAIT.
func (s *Stack) Sockets() (list []sock.SocketInfo) {
	for _, port := range slices.Sorted(maps.Keys(s.tcp.listeners)) {
		for _, t := range s.tcp.listeners[port] {
			list = append(list, t.info())
		}
	}
	byFlow := func(a, b segmentTaker) int { return a.key().compare(b.key()) }
	for _, t := range slices.SortedFunc(s.tcp.flows.all(), byFlow) {
		list = append(list, t.info())
	}
	for _, port := range slices.Sorted(maps.Keys(s.udp)) {
		for _, u := range s.udp[port] {
			u.recall()
			list = append(list, u.info(waiting(u.pending)))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.ping)) {
		for _, g := range s.ping[id] {
			list = append(list, g.info(0))
		}
	}
	for _, r := range s.raw {
		list = append(list, r.info(0))
	}
	return list
}

func (b *mailbox) info(unsent int) sock.SocketInfo {
	i := sock.SocketInfo{
		Family: b.Family, Type: b.Type, Proto: b.Proto, Connected: b.connected,
		RecvQ: int(b.memory.Load()) - b.freed, SendQ: unsent, Drops: b.drops,
	}
	i.Local, _ = b.Getsockname()
	if b.connected {
		i.Remote = b.name(b.remote, b.remotePort, b.scope)
	}
	return i
}

// compare puts flows into an order: by their ports, then their addresses.
func (f flow) compare(g flow) int {
	address := func(a, b wire.Addr) int { return a.Netip().Compare(b.Netip()) }
	return cmp.Or(cmp.Compare(f.localPort, g.localPort), cmp.Compare(f.remotePort, g.remotePort),
		address(f.local, g.local), address(f.remote, g.remote), cmp.Compare(f.zone, g.zone))
}

// info implements segmentTaker.
func (t *TCP) info() sock.SocketInfo {
	i := sock.SocketInfo{Family: t.Family, Type: t.Type, Proto: t.Proto, Connected: t.connected, State: sockeye.TCPState(t.state())}
	i.Local, _ = t.Getsockname()
	if t.queue != nil {
		i.RecvQ, i.SendQ = t.queue.len(), t.queue.most
		return i
	}
	i.Remote = t.name(t.remote, t.remotePort, t.scope)
	i.RecvQ = t.conn.Unread()
	i.SendQ, _ = t.conn.Unsent()
	return i
}

// info implements segmentTaker.
func (r *half) info() sock.SocketInfo { return r.flow.info(&r.listener.base, sockeye.TCP_SYN_RECV) }

// info implements segmentTaker.
func (k *lingering) info() sock.SocketInfo {
	b := base{}
	b.Family, b.Type, b.Proto = k.family, sockeye.SOCK_STREAM, sockeye.IPPROTO_TCP
	return k.flow.info(&b, sockeye.TCPState(k.tw.State))
}

// info is for a flow without a socket of its own, as a socket of b's family would see it.
func (f flow) info(b *base, state sockeye.TCPState) sock.SocketInfo {
	return sock.SocketInfo{
		Family: b.Family, Type: b.Type, Proto: b.Proto, State: state,
		Local: b.name(f.local, f.localPort, int(f.zone)), Remote: b.name(f.remote, f.remotePort, int(f.zone)),
	}
}
