// Package record receives datagrams and records whole, whatever their size.
package record

import (
	"io"

	"sockeye"
)

// A Reader receives from a socket of SOCK_DGRAM or SOCK_SEQPACKET.
type Reader struct {
	s     *sockeye.Socket
	m     sockeye.Message
	iov   [1][]byte
	ended bool // records end: the socket is of SOCK_SEQPACKET
}

// NewReader makes a reader. On a connection of SOCK_SEQPACKET, where recv(2)
// gives 0 for an empty record as well as at the end, it sets SO_TIMESTAMP: each
// record comes with a time then, and the end without.
func NewReader(s *sockeye.Socket, typ sockeye.Type) (*Reader, error) {
	r := &Reader{s: s}
	if typ == sockeye.SOCK_SEQPACKET {
		if err := sockeye.SO_TIMESTAMP.Set(s, true); err != nil {
			return nil, err
		}
		r.ended = true
		r.m.Control = make([]byte, sockeye.ControlSpace(16))
	}
	return r, nil
}

// Next waits for the next record and gives it, which stays as it is until the
// next call, and its sender. At the end of a connection it gives io.EOF.
func (r *Reader) Next() ([]byte, sockeye.Sockaddr, error) {
	// A record that does not fit its buffer is cut: ask how long it is first.
	n, err := r.s.Recv(nil, sockeye.MSG_PEEK|sockeye.MSG_TRUNC)
	if err != nil {
		return nil, sockeye.Sockaddr{}, err
	}
	buf := r.iov[0]
	if n > cap(buf) {
		buf = make([]byte, max(n, 2*cap(buf)))
	}
	r.iov[0] = buf[:cap(buf)]
	r.m.Buffers = r.iov[:]
	if n, err = r.s.Recvmsg(&r.m, 0); err != nil {
		return nil, sockeye.Sockaddr{}, err
	}
	if n == 0 && r.ended && r.m.ControlN == 0 {
		return nil, sockeye.Sockaddr{}, io.EOF
	}
	return r.iov[0][:n], r.m.Name, nil
}
