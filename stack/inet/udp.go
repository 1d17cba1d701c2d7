package inet

import (
	"syscall"

	"sockeye"
	"sockeye/packet"
	"sockeye/stack/sock"
)

// A UDP is a UDP socket (udp(7)).
type UDP struct {
	mailbox
	lent bool // queue has lent something to reader

	_      [64]byte // senders write what is before, receivers what follows: they go to cache lines of their own
	reader reader

	cork    bool // UDP_CORK
	gro     bool
	segment int // UDP_SEGMENT
	noSum6  [2]bool

	pending *packet.Packet // what grows while corked
	to      outgoing       // where it goes
	aimed   uint64         // Stack.changes when to was found for the peer; 0: it was not
	near    *UDP           // whom to is for, on this host, as long as aimed holds; nil: not known
}

// OpenUDP makes a UDP socket.
func (s *Stack) OpenUDP(family sockeye.Family) *UDP {
	u := new(UDP)
	u.init(s, family, sockeye.SOCK_DGRAM, sockeye.IPPROTO_UDP)
	return u
}

// Bind is bind(2).
func (u *UDP) Bind(sa sockeye.Sockaddr) error {
	u.stack.changes++
	return bindPort(u, &u.base, u.stack.udp, sa, false)
}

// Connect is connect(2).
func (u *UDP) Connect(sa sockeye.Sockaddr) error {
	u.stack.changes++
	return connectPort(u, &u.base, u.stack.udp, sa)
}

// Recvmsg is recvmsg(2).
func (u *UDP) Recvmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	u.recall()
	return u.receive(m, flags)
}

// Ready is udp_poll.
func (u *UDP) Ready() sockeye.Events {
	e := u.ready()
	if u.lends() {
		e |= sockeye.POLLIN | sockeye.POLLRDNORM
	}
	return e
}

// Ioctl is udp_ioctl.
func (u *UDP) Ioctl(req uint) (int, error) {
	u.recall()
	return u.ioctl(req, waiting(u.pending))
}

// Release is the last close.
func (u *UDP) Release() {
	if u.pending != nil {
		u.pending.Release()
	}
	u.stack.changes++
	u.recall()
	u.queue.purge()
	u.leaveGroups()
	if u.claim.port != 0 {
		u.stack.udp.release(u)
	}
	u.WakeAll()
}

// Getsockopt is getsockopt(2).
func (u *UDP) Getsockopt(level, name int, val []byte) (int, error) {
	if level != sockeye.SOL_UDP {
		return u.getsockopt(level, name, val)
	}
	v, ok := map[int]int{
		sockeye.UDP_CORK.Name: b2i(u.cork), sockeye.UDP_SEGMENT.Name: u.segment, sockeye.UDP_GRO.Name: b2i(u.gro),
		sockeye.UDP_NO_CHECK6_TX.Name: b2i(u.noSum6[0]), sockeye.UDP_NO_CHECK6_RX.Name: b2i(u.noSum6[1]),
	}[name]
	if !ok {
		return 0, syscall.ENOPROTOOPT
	}
	return sock.PutInt(val, v)
}

// Setsockopt is setsockopt(2), of IPPROTO_UDP udp_lib_setsockopt.
func (u *UDP) Setsockopt(level, name int, val []byte) error {
	u.stack.changes++
	u.recall()
	if level != sockeye.SOL_UDP {
		return u.setsockopt(level, name, val)
	}
	v, err := sock.Int(val)
	if err != nil {
		return err
	}
	switch name {
	case sockeye.UDP_CORK.Name:
		u.cork = v != 0
		if !u.cork {
			u.uncork()
		}
	case sockeye.UDP_SEGMENT.Name:
		if v < 0 || v > 65535 {
			return syscall.EINVAL
		}
		u.segment = v
	case sockeye.UDP_GRO.Name:
		u.gro = v != 0
	case sockeye.UDP_NO_CHECK6_TX.Name:
		u.noSum6[0] = v != 0
	case sockeye.UDP_NO_CHECK6_RX.Name:
		u.noSum6[1] = v != 0
	default:
		return syscall.ENOPROTOOPT
	}
	return nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
