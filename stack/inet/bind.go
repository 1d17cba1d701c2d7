package inet

import (
	"syscall"

	"sockeye"
)

// bindPort is inet_bind and inet6_bind for a socket of a protocol that has ports. One that
// is busy, listening or connected, cannot be bound.
func bindPort[S claimer](s S, b *base, all ports[S], sa sockeye.Sockaddr, busy bool) error {
	busy = busy || b.claim.port != 0
	t, err := b.address(sa, b.Family == sockeye.AF_INET, syscall.EAFNOSUPPORT)
	switch {
	case err != nil:
		return err
	case sa.Family() == sockeye.AF_UNSPEC && !t.ip.IsUnspecified():
		return syscall.EAFNOSUPPORT
	case t.ip.IsMulticast() && t.ip.Is4() && b.Family == sockeye.AF_INET6:
		return syscall.EINVAL
	}
	if b.Family == sockeye.AF_INET6 {
		if !b.mayUse(t.port) {
			return syscall.EACCES
		}
		if busy {
			return syscall.EINVAL
		}
	}
	ifindex, err := b.scoped(t, 0)
	if err == nil && ifindex != 0 && b.stack.Iface(ifindex) == nil && b.Family == sockeye.AF_INET6 && !t.ip.IsUnspecified() {
		err = syscall.ENODEV
	}
	if err == nil {
		err = b.checkBind(t, ifindex, true)
	}
	switch {
	case err != nil:
		return err
	case !b.mayUse(t.port):
		return syscall.EACCES
	case busy:
		return syscall.EINVAL
	}
	was := b.claim
	if needsScope(t.ip) {
		b.claim.ifindex, b.scope = ifindex, ifindex
	}
	b.setLocal(t)
	b.claim.port = t.port
	low, high := b.portRange()
	if t.port != 0 || !b.ip.bindNoPort {
		if err := all.bind(b.stack, s, low, high); err != nil {
			b.claim = was
			b.reset()
			return err
		}
	}
	b.givenIP, b.givenPort = t.ip != b.any(), t.port != 0
	return nil
}

// autobind gives the socket an ephemeral port if it has none.
func autobind[S claimer](s S, b *base, all ports[S]) error {
	if b.claim.port != 0 {
		return nil
	}
	low, high := b.portRange()
	if all.bind(b.stack, s, low, high) != nil {
		return syscall.EAGAIN
	}
	return nil
}

// connectPort is inet_dgram_connect.
func connectPort[S claimer](s S, b *base, all ports[S], sa sockeye.Sockaddr) error {
	if len(sa.AppendBytes(nil)) == 1 {
		return syscall.EINVAL
	}
	if sa.Family() == sockeye.AF_UNSPEC {
		b.disconnect()
		if !b.givenPort && b.claim.port != 0 {
			all.release(s)
			b.claim.port = 0
		}
		return nil
	}
	t, err := b.address(sa, b.Family == sockeye.AF_INET6, syscall.EAFNOSUPPORT)
	if err != nil && b.Family == sockeye.AF_INET6 && b.claim.v6only && sa.Family() == sockeye.AF_INET {
		err = syscall.EAFNOSUPPORT
	}
	if err := autobind(s, b, all); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	return b.connectTo(t)
}
