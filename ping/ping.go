// Package ping asks hosts for an echo (ICMP, RFC 792; ICMPv6, RFC 4443 section 4)
// and measures how long the answer takes, as ping(8) does.
//
// It opens a raw socket where that is allowed, and else a ping socket (icmp(7)),
// which needs no privilege but a group in net.ipv4.ping_group_range.
package ping

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"sockeye"
)

// What ping(8) does when nothing is said.
const (
	DefaultSize     = 56
	DefaultInterval = time.Second
	DefaultTimeout  = 10 * time.Second
)

// MaxSize is the most data that a request holds: an IP packet without its
// header and that of ICMP.
const MaxSize = 65535 - 20 - headerSize

// Options say what to ask for, and how often.
type Options struct {
	Count    int           // how many requests; 0: until the context ends
	Interval time.Duration // between requests; 0: DefaultInterval
	// Timeout is how long to wait after the last request if nothing has come;
	// 0: DefaultTimeout. Once there were answers it is no longer than two of
	// the longest round trips, an interval or a second.
	Timeout time.Duration
	Size    int // bytes of data in a request
	TTL     int // hops that a request may take; 0: the system's choice
	// Unprivileged opens a ping socket even where a raw one is allowed.
	Unprivileged bool
}

// A Reply is one thing that came back: an answer, or an error.
type Reply struct {
	Seq       int // of the request, from 1; 0: of no request that is known
	From      sockeye.Sockaddr
	Size      int // bytes of the ICMP message
	TTL       int // hops that were left; 0: not told
	RTT       time.Duration
	Duplicate bool  // this request was answered before
	Damaged   bool  // the data is not what was sent
	Err       error // no answer: an *ICMPError, or why the request could not be sent
}

// A Pinger asks one host.
type Pinger struct {
	s    *sockeye.Socket
	to   sockeye.Sockaddr
	opt  Options
	wire wire
	raw  bool

	flights []flight // by sequence number, modulo maxFlights
	open    int      // flights that nothing came back for
	last    time.Time
	tally   tally

	request []byte
	msg     sockeye.Message
	replies []Reply
	strays  int // receives in a row that failed, with nothing in the error queue
}

// maxStrays is how many such receives are taken for other programs' errors.
const maxStrays = 100

// A flight is a request that is under way, or was.
type flight struct {
	seq      int
	sent     time.Time
	done     bool // answered, or failed
	answered bool
}

// maxFlights is as many as ICMP's sequence numbers tell apart.
const maxFlights = 1 << 16

// Open opens a socket to ask the host at the address, whose port does not
// matter. Without the privilege for either kind of socket the error is both
// EPERM and EACCES, and says what gives it.
func Open(h *sockeye.Host, to sockeye.Sockaddr, opt Options) (*Pinger, error) {
	if opt.Interval <= 0 {
		opt.Interval = DefaultInterval
	}
	if opt.Timeout <= 0 {
		opt.Timeout = DefaultTimeout
	}
	if opt.Size < 0 || opt.Size > MaxSize {
		return nil, fmt.Errorf("a request holds 0 to %d bytes, not %d", MaxSize, opt.Size)
	}
	p := &Pinger{to: to.WithPort(0), opt: opt, wire: wireOf(to.Family())}
	if err := p.socket(h); err != nil {
		return nil, err
	}
	if err := p.setup(); err != nil {
		p.s.Close()
		return nil, err
	}
	p.request = p.wire.request(opt.Size)
	p.msg = sockeye.Message{
		Buffers: [][]byte{make([]byte, 1<<16)},
		Control: make([]byte, 512),
	}
	return p, nil
}

func (p *Pinger) socket(h *sockeye.Host) (err error) {
	f, proto := p.to.Family(), p.wire.protocol
	var rawErr error
	if !p.opt.Unprivileged {
		if p.s, rawErr = h.Socket(f, sockeye.SOCK_RAW, proto); rawErr == nil {
			p.raw = true
			return nil
		}
		if !errors.Is(rawErr, os.ErrPermission) {
			return rawErr
		}
	}
	p.s, err = h.Socket(f, sockeye.SOCK_DGRAM, proto)
	if errors.Is(err, os.ErrPermission) && rawErr != nil {
		return fmt.Errorf("no privilege for a raw socket (%w: it takes root or CAP_NET_RAW) nor for a ping socket "+
			"(%w: it takes a group within the sysctl net.ipv4.ping_group_range)", errno(rawErr), errno(err))
	}
	return err
}

// setup asks for what Replies tells: hops, times and errors.
func (p *Pinger) setup() error {
	if err := p.wire.setup(p.s, p.raw, p.opt.TTL); err != nil {
		return err
	}
	if err := sockeye.SO_TIMESTAMPNS.Set(p.s, true); err != nil {
		return err
	}
	if p.raw {
		p.wire.id = uint16(rand.Uint32())
		return nil
	}
	// The system chooses a ping socket's identifier, and calls it the port.
	any := sockeye.SockaddrInet4([4]byte{}, 0)
	if p.to.Family() == sockeye.AF_INET6 {
		any = sockeye.SockaddrInet6([16]byte{}, 0, 0, 0)
	}
	if err := p.s.Bind(any); err != nil {
		return err
	}
	local, err := p.s.Getsockname()
	p.wire.id = local.Port()
	return err
}

// Raw tells whether the socket is a raw one, and not a ping socket.
func (p *Pinger) Raw() bool { return p.raw }

// Close closes the socket.
func (p *Pinger) Close() error { return p.s.Close() }

// Replies sends the requests and gives what comes back, until all have come
// back, the wait for the last is over, or ctx ends, which is no error. The last
// pair may be an error that made an end of it: of the first request, which could
// not be sent, or of the socket. A Pinger is for one use of Replies at a time.
func (p *Pinger) Replies(ctx context.Context) iter.Seq2[Reply, error] {
	return func(yield func(Reply, error) bool) {
		p.tally.begin(time.Now())
		defer func() { p.tally.end(time.Now()) }()
		s, next := p.s.WithContext(ctx), time.Now()
		for ctx.Err() == nil {
			more := p.opt.Count == 0 || p.tally.sent < p.opt.Count
			var err error
			switch now := time.Now(); {
			case more && !now.Before(next):
				err = p.send(s)
				if next = next.Add(p.opt.Interval); next.Before(now) {
					next = now // what was missed is not made up for
				}
			case !more && p.open == 0:
				return
			default:
				deadline := next
				if !more {
					deadline = p.last.Add(p.patience())
				}
				s.SetReadDeadline(deadline)
				err = p.receive(s)
				if errors.Is(err, os.ErrDeadlineExceeded) {
					if !more {
						return
					}
					err = nil
				}
			}
			for _, r := range p.replies {
				p.tally.add(r)
				if !yield(r, nil) {
					return
				}
			}
			p.replies = p.replies[:0]
			if err != nil && ctx.Err() == nil {
				yield(Reply{}, err)
				return
			}
		}
	}
}

// patience is how long to wait after the last request.
func (p *Pinger) patience() time.Duration {
	if p.tally.received == 0 {
		return p.opt.Timeout
	}
	return min(p.opt.Timeout, max(2*p.tally.max, p.opt.Interval, time.Second))
}

// send sends the next request. An error of a request before may come up first.
func (p *Pinger) send(s *sockeye.Socket) error {
	seq := p.tally.sent + 1
	p.wire.number(p.request, uint16(seq))
	f := flight{seq: seq, sent: time.Now()}
	_, err := s.Sendto(p.request, 0, p.to)
	if err != nil && p.drain(s) > 0 {
		f.sent = time.Now()
		_, err = s.Sendto(p.request, 0, p.to)
	}
	if err != nil && (p.tally.sent == 0 || s.Context().Err() != nil) {
		return err
	}
	p.tally.sent++
	p.last = f.sent
	f.done = err != nil
	p.launch(f)
	if err != nil {
		p.replies = append(p.replies, Reply{Seq: seq, From: p.to, Err: err})
	}
	return nil
}

// launch keeps a flight, in the place of one whose number it has.
func (p *Pinger) launch(f flight) {
	if len(p.flights) < maxFlights {
		p.flights = append(p.flights, f)
	} else {
		old := &p.flights[(f.seq-1)%maxFlights]
		if !old.done {
			p.open--
		}
		*old = f
	}
	if !f.done {
		p.open++
	}
}

// find gives the flight that a sequence number off the wire belongs to.
func (p *Pinger) find(seq uint16) *flight {
	if i := int(seq-1) % maxFlights; i < len(p.flights) {
		return &p.flights[i]
	}
	return nil
}

func (p *Pinger) land(f *flight) {
	if !f.done {
		f.done = true
		p.open--
	}
}

// receive waits for one message, or for errors.
func (p *Pinger) receive(s *sockeye.Socket) error {
	_, err := s.Recvmsg(&p.msg, 0)
	if err == nil {
		p.strays = 0
		p.answer()
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) || s.Context().Err() != nil {
		return err
	}
	// Somebody's ICMP error, and once read it is gone. What stays is no such.
	if p.strays++; p.drain(s) > 0 {
		p.strays = 0
	}
	if p.strays > maxStrays {
		return err
	}
	return nil
}

// answer looks at what was received: an answer to one of our requests, or not
// for us, for a raw socket hears what is meant for all.
func (p *Pinger) answer() {
	now := time.Now()
	b := p.msg.Buffers[0][:p.msg.N]
	if p.raw {
		b = p.wire.payload(b)
	}
	seq, ok := p.wire.reply(b, p.raw)
	f := p.find(seq)
	if !ok || f == nil {
		return
	}
	r := Reply{Seq: f.seq, From: p.msg.Name.WithPort(0), Size: len(b), Duplicate: f.answered, RTT: now.Sub(f.sent)}
	for c := range p.msg.ControlMessages() {
		// The kernel's time of arrival leaves out how long this program took
		// to wake up.
		if at, ok := c.Timestamp(); ok && at.After(f.sent) && at.Before(now) {
			r.RTT = at.Round(0).Sub(f.sent.Round(0))
		}
		if p.wire.isTTL(c) {
			r.TTL, _ = c.Int()
		}
	}
	r.Damaged = string(b[headerSize:]) != string(p.request[headerSize:])
	f.answered = true
	p.land(f)
	p.replies = append(p.replies, r)
}

// drain takes what the error queue holds, and tells how much that was.
func (p *Pinger) drain(s *sockeye.Socket) (n int) {
	for {
		if _, err := s.Recvmsg(&p.msg, sockeye.MSG_ERRQUEUE); err != nil {
			return n
		}
		n++
		for c := range p.msg.ControlMessages() {
			if e, ok := c.ExtendedError(); ok {
				p.failure(e, p.msg.Buffers[0][:min(p.msg.N, len(p.msg.Buffers[0]))])
			}
		}
	}
}

// failure is an error about the request b, if it is one of ours.
func (p *Pinger) failure(e sockeye.ExtendedError, b []byte) {
	seq, ok := p.wire.asked(b)
	f := p.find(seq)
	if !ok || f == nil || f.done {
		return
	}
	p.land(f)
	r := Reply{Seq: f.seq, From: e.Offender.WithPort(0), Err: e.Errno}
	if e.Origin == sockeye.SO_EE_ORIGIN_ICMP || e.Origin == sockeye.SO_EE_ORIGIN_ICMP6 {
		r.Err = &ICMPError{Family: p.to.Family(), Type: e.Type, Code: e.Code, Info: e.Info, Errno: e.Errno}
	}
	p.replies = append(p.replies, r)
}
