package sock

import (
	"syscall"
	"time"

	"sockeye"
)

// A Socket is the part of a socket that does not depend on its family. The
// host's lock guards it; methods that take the lock say so.
type Socket struct {
	Host   *Host
	Family sockeye.Family
	// Shut has the bits of the halves that are shut down.
	Shut   Shut
	ownOpt bool  // no other socket has Opt
	refs   int32 // descriptors, and messages on their way
	Type   sockeye.Type
	Proto  sockeye.Protocol

	// Err is the pending error, sk_err: the next call takes it.
	Err syscall.Errno
	Opt *Options // for reading: see OwnOptions

	waits  [2]waitlist // by sockeye.Direction
	number uint32      // among the host's sockets
}

// Shut is a set of the two halves of a connection.
type Shut uint8

// The halves, as Linux numbers them in sk_shutdown.
const (
	RcvShutdown  Shut = 1
	SendShutdown Shut = 2
)

// Init makes s a socket of the host.
func (s *Socket) Init(h *Host, family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) {
	h.sockets++
	*s = Socket{Host: h, number: h.sockets, Family: family, Type: typ, Proto: proto, Opt: h.defaultOptions()}
}

// OwnOptions gives the options to be changed: until then sockets share what most of them have. The
// host is locked.
func (s *Socket) OwnOptions() *Options {
	if !s.ownOpt {
		o := *s.Opt
		s.Opt, s.ownOpt = &o, true
	}
	return s.Opt
}

// ShareOptions gives s options that other sockets have too.
func (s *Socket) ShareOptions(o *Options) { s.Opt, s.ownOpt = o, false }

// InheritOptions gives s the options that l has, until one of them changes its own.
func (s *Socket) InheritOptions(l *Socket) {
	l.ownOpt = false
	s.ShareOptions(l.Opt)
}

// Base is s.
func (s *Socket) Base() *Socket { return s }

// Hold counts one more descriptor, or message on its way, that names the
// socket. The host is locked.
func (s *Socket) Hold() { s.refs++ }

// References is how many times the socket is held. The host is locked.
func (s *Socket) References() int32 { return s.refs }

// Drop takes one Hold back, and ends the socket if it was the last.
func Drop(f File) {
	s := f.Base()
	if s.refs--; s.refs == 0 {
		f.Release()
	}
}

// TakeError gives the pending error and forgets it. The host is locked.
func (s *Socket) TakeError() error {
	if s.Err == 0 {
		return nil
	}
	err := s.Err
	s.Err = 0
	return err
}

// Options are the options of SOL_SOCKET that Linux keeps as numbers.
type Options struct {
	Debug, ReuseAddr, DontRoute, Broadcast, KeepAlive, OOBInline, NoCheck   bool
	ReusePort, PassCred, PassSec, Timestamp, TimestampNS, RxqOvfl, ZeroCopy bool

	Sndbuf, Rcvbuf int
	Rcvlowat       int
	Priority, Mark int
	Timestamping   int
	PeekOff        int
	BusyPoll       int
	IncomingCPU    int
	Linger         sockeye.Linger
	Rcvtimeo       time.Duration
	Sndtimeo       time.Duration
	BindToIfindex  int
}

// Stamps tells whether the times of what comes have to be known.
func (o *Options) Stamps() bool {
	return o.Timestamp || o.TimestampNS || o.Timestamping&sockeye.SOF_TIMESTAMPING_RX_SOFTWARE != 0
}

// defaultOptions are those of a new socket.
func (h *Host) defaultOptions() *Options {
	return h.options.With(h.Sysctl.WmemDefault, h.Sysctl.RmemDefault)
}

// DefaultOptions remembers the options that sockets begin with, so that they share them.
type DefaultOptions struct{ last *Options }

// With gives the options of a new socket with these sizes of buffers.
func (d *DefaultOptions) With(sndbuf, rcvbuf int) *Options {
	if d.last == nil || d.last.Sndbuf != sndbuf || d.last.Rcvbuf != rcvbuf {
		d.last = &Options{Sndbuf: sndbuf, Rcvbuf: rcvbuf, Rcvlowat: 1, PeekOff: -1, IncomingCPU: -1}
	}
	return d.last
}
