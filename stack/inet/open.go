package inet

import (
	"syscall"

	"sockeye"
	"sockeye/stack/sock"
)

const maxProtocol = 263 // IPPROTO_MAX

// Open is socket(2) of AF_INET and AF_INET6 (inet_create, inet6_create).
func (s *Stack) Open(family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) (sock.File, error) {
	echo := sockeye.IPPROTO_ICMP
	if family == sockeye.AF_INET6 {
		echo = sockeye.IPPROTO_ICMPV6
	}
	switch {
	case proto < 0 || proto >= maxProtocol:
		return nil, syscall.EINVAL
	case typ == sockeye.SOCK_DGRAM && (proto == 0 || proto == sockeye.IPPROTO_UDP):
		return s.OpenUDP(family), nil
	case typ == sockeye.SOCK_STREAM && (proto == 0 || proto == sockeye.IPPROTO_TCP):
		return s.OpenTCP(family), nil
	case typ == sockeye.SOCK_DGRAM && proto == echo:
		g, err := s.OpenPing(family, proto)
		if err != nil {
			return nil, err
		}
		return g, nil
	case typ == sockeye.SOCK_RAW && proto != 0:
		if !s.host.Privileged {
			return nil, syscall.EPERM
		}
		return s.OpenRaw(family, proto), nil
	case typ == sockeye.SOCK_STREAM || typ == sockeye.SOCK_DGRAM || typ == sockeye.SOCK_RAW:
		return nil, syscall.EPROTONOSUPPORT
	}
	return nil, syscall.ESOCKTNOSUPPORT
}
