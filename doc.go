// Package sockeye is the socket system in Go: the Berkeley socket interface
// with Linux's semantics, over engines.
//
// A [Host] opens sockets; package sockeye/kernel has the host that is this
// machine. A [Socket] has the calls of the manual pages, with their flags,
// options, ancillary data and errors:
//
//	h := kernel.Host()
//	s, err := h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
//	err = s.Bind(sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 8888))
//	err = s.Listen(16)
//	conn, from, err := s.Accept()
//	n, err := conn.Recv(buf, 0)
//
// Calls that wait park their goroutine, not a thread, and end with a deadline
// ([Socket.SetDeadline]), a context ([Socket.WithContext]) or [Socket.Close].
// Failed calls give an [*Error] that tells the call and the addresses and wraps
// the errno.
//
// For programs written against package net, a Host has Dial, Listen and
// ListenPacket, which give net.Conn, net.Listener and net.PacketConn with package
// net's addresses and errors. A [Dialer] and a [ListenConfig] set options before
// bind and connect, and the backlog; the Socket method of what they give leads
// back to all of the calls here, and [NewConn] and [NewListener] the other way.
//
// # Engines
//
// An [Engine] opens [Endpoint]s, which never block; waiting, deadlines, contexts
// and the facades of package net are written once, here, above all engines.
// This package knows no engine.
package sockeye
