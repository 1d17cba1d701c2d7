// Package inet is AF_INET and AF_INET6 on a Go host: interfaces with addresses, routes
// and neighbours, IP in and out, and on it UDP, ICMP, raw and ping sockets (ip(7),
// ipv6(7), udp(7), raw(7), icmp(7)). Both versions of IP share their code; an
// address is a wire.Addr, which holds either.
//
// A packet that comes in is handled by [Iface.Receive], called from the network's loop,
// to the end: queued at a socket, answered, forwarded or dropped and counted. A packet that
// goes out is left at a link's port, which leaves it to the loop. All of it happens with the
// host locked; nothing waits.
package inet
