package inet

import (
	"maps"
	"slices"

	"sockeye"
)

// A SocketInfo is what ss(8) shows of a socket.
type SocketInfo struct {
	Type          sockeye.Type
	Proto         sockeye.Protocol
	Connected     bool // ESTAB, otherwise UNCONN
	Local, Remote sockeye.Sockaddr
	RecvQ, SendQ  int    // bytes in the queues, as SO_RCVBUF and SO_SNDBUF count them
	Drops         uint32 // datagrams that found no room
}

// Sockets are the sockets that receive: raw ones, and those that have a port, by port.
func (s *Stack) Sockets() (list []SocketInfo) {
	for _, port := range slices.Sorted(maps.Keys(s.udp)) {
		for _, u := range s.udp[port] {
			list = append(list, u.info(u.unsent()))
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

func (b *mailbox) info(unsent int) SocketInfo {
	i := SocketInfo{
		Type: b.Type, Proto: b.Proto, Connected: b.connected,
		RecvQ: b.queue.bytes, SendQ: unsent, Drops: b.queue.drops,
	}
	i.Local, _ = b.Getsockname()
	if b.connected {
		i.Remote = b.name(b.remote, b.remotePort, b.scope)
	}
	return i
}
