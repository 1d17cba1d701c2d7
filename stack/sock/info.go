package sock

import "sockeye"

// A SocketInfo is what ss(8) shows of a socket.
type SocketInfo struct {
	Family        sockeye.Family
	Type          sockeye.Type
	Proto         sockeye.Protocol
	Connected     bool             // ESTAB, otherwise UNCONN
	State         sockeye.TCPState // of TCP and AF_UNIX
	Local, Remote sockeye.Sockaddr
	// RecvQ and SendQ are bytes in the queues: of datagrams, as SO_RCVBUF and SO_SNDBUF count
	// them; of a listener, the connections that wait and its backlog. Of AF_UNIX, RecvQ is what can
	// be received: all of it, or the first datagram.
	RecvQ, SendQ int
	Drops        uint32 // datagrams that found no room
	// Number is a unix socket's, and Peer that of the socket it is connected to, as inodes are on
	// Linux. 0: there is none, or nobody has accepted it.
	Number, Peer uint32
}

// Number is the socket's among the host's sockets; 0: no descriptor names it, nor a message on its way.
func (s *Socket) Number() uint32 {
	if s.refs == 0 {
		return 0
	}
	return s.number
}

// Files are the sockets that descriptors name, by descriptor. The host is locked.
func (h *Host) Files() (list []File) {
	for _, d := range h.fds {
		if d != nil {
			list = append(list, d.file)
		}
	}
	return list
}
