package sockeye

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// A Dialer connects as net.Dialer does, to sockets of a Host. The zero value
// with a Host is ready; it may be used by several goroutines at once. Its
// DialContext fits net/http's Transport.
type Dialer struct {
	// Host is where the sockets are opened.
	Host *Host
	// Timeout bounds a dial in all, names included; 0: only the context does.
	// Where a name has several addresses each gets its share of what is left.
	Timeout time.Duration
	// LocalAddr is what to bind to: an address of the network dialed. nil
	// leaves the choice to the system.
	LocalAddr net.Addr
	// FallbackDelay is how long to wait for one family of addresses before
	// the other is tried at the same time (RFC 8305); 0 means 300 ms, and a
	// negative one never does.
	FallbackDelay time.Duration
	// KeepAlive is how long a TCP connection is idle before keepalive probes
	// it; 0 means 15 s, and a negative one turns keepalive off.
	KeepAlive time.Duration
	// KeepAliveConfig goes before KeepAlive where it is enabled.
	KeepAliveConfig net.KeepAliveConfig
	// Control, if not nil, is called with each socket after this package's
	// own options are set, and before bind and connect.
	Control func(*Socket) error
}

// fallbackDelay is RFC 8305's Connection Attempt Delay, in package net's choice.
const fallbackDelay = 300 * time.Millisecond

var (
	errMissingAddress = errors.New("missing address")
	errNoHost         = errors.New("no Host is set: use a sockeye.Host such as kernel.Host()")
)

// Dial connects to an address on a network of package net: "tcp", "tcp4", "tcp6",
// "udp", "udp4", "udp6", "ip:proto", "ip4:proto", "ip6:proto", "unix",
// "unixgram" or "unixpacket". It gives a *TCPConn, *UDPConn, *IPConn or
// *UnixConn. Its errors are package net's: a *net.OpError.
func (h *Host) Dial(network, address string) (net.Conn, error) {
	return h.DialContext(context.Background(), network, address)
}

// DialContext is Dial that ends with ctx. Once connected the connection does
// not depend on ctx any more.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d := Dialer{Host: h}
	return d.DialContext(ctx, network, address)
}

// Dial is Host.Dial as the Dialer says.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext is Host.DialContext as the Dialer says.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	n, addrs, err := d.addresses(ctx, network, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if network != "tcp" || d.FallbackDelay < 0 {
		return d.dialSerial(ctx, n, addrs)
	}
	var first, second []net.Addr
	for _, a := range addrs {
		if isIPv4(a) == isIPv4(addrs[0]) {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	if len(second) == 0 {
		return d.dialSerial(ctx, n, first)
	}
	return d.race(ctx, n, first, second)
}

// addresses gives the addresses to try: of those that the name has, the ones
// that LocalAddr can reach.
func (d *Dialer) addresses(ctx context.Context, network, address string) (network, []net.Addr, error) {
	n, err := parseNetwork(network)
	switch {
	case err != nil:
		return n, nil, err
	case d.Host == nil:
		return n, nil, errNoHost
	case address == "" && !(n.name == "unixgram" && d.LocalAddr != nil):
		return n, nil, errMissingAddress
	}
	addrs, err := d.Host.resolve(ctx, n, address)
	if err != nil || d.LocalAddr == nil {
		return n, addrs, err
	}
	var reach []net.Addr
	for _, a := range addrs {
		if a.Network() != d.LocalAddr.Network() {
			return n, nil, &net.AddrError{Err: "mismatched local address type", Addr: d.LocalAddr.String()}
		}
		if n.kind == "unix" || isWildcard(a) || isWildcard(d.LocalAddr) || isIPv4(a) == isIPv4(d.LocalAddr) {
			reach = append(reach, a)
		}
	}
	if len(reach) == 0 {
		return n, nil, &net.AddrError{Err: "no suitable address found", Addr: d.LocalAddr.String()}
	}
	return n, reach, nil
}

// race is RFC 8305's Happy Eyeballs in package net's form: the addresses of
// one family, and after a delay, or once they failed, those of the other. The
// first connection wins; the error is that of the first family.
func (d *Dialer) race(ctx context.Context, n network, first, second []net.Addr) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the loser

	type result struct {
		conn net.Conn
		err  error
		of   *[]net.Addr
	}
	results, returned := make(chan result), make(chan struct{})
	defer close(returned)
	running := 0
	start := func(addrs *[]net.Addr) {
		running++
		go func() {
			conn, err := d.dialSerial(ctx, n, *addrs)
			select {
			case results <- result{conn, err, addrs}:
			case <-returned:
				if conn != nil {
					conn.Close()
				}
			}
		}()
	}

	delay := d.FallbackDelay
	if delay == 0 {
		delay = fallbackDelay
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	fallback := timer.C // nil once the second family is under way
	start(&first)
	var firstErr error
	for {
		select {
		case <-fallback:
			fallback = nil
			start(&second)
		case r := <-results:
			if r.err == nil {
				return r.conn, nil
			}
			if r.of == &first {
				firstErr = r.err
			}
			running--
			if fallback != nil {
				fallback = nil
				start(&second)
			}
			if running == 0 {
				return nil, firstErr
			}
		}
	}
}

// dialSerial tries one address after the other. Its error is that of the first,
// which tells most.
func (d *Dialer) dialSerial(ctx context.Context, n network, addrs []net.Addr) (net.Conn, error) {
	var firstErr error
	for i, a := range addrs {
		conn, err := d.dialShare(ctx, n, a, len(addrs)-i)
		if err == nil {
			return conn, nil
		}
		if firstErr == nil {
			firstErr = &net.OpError{Op: "dial", Net: n.name, Source: d.LocalAddr, Addr: a, Err: dialCause(err)}
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, firstErr
}

// leastShare is the least time that one address of several is given.
const leastShare = 2 * time.Second

// dialShare dials an address within its share of the time that is left for it
// and the others.
func (d *Dialer) dialShare(ctx context.Context, n network, a net.Addr, addrs int) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok && addrs > 1 {
		left := time.Until(deadline)
		if share := max(left/time.Duration(addrs), leastShare); share < left {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, share)
			defer cancel()
		}
	}
	return d.dial(ctx, n, a)
}

// dial connects to one address. A TCP socket whose ephemeral port the system
// chose may have met itself (simultaneous open, RFC 9293 section 3.5), or an
// address just taken: then it tries again, as package net does.
func (d *Dialer) dial(ctx context.Context, n network, a net.Addr) (net.Conn, error) {
	local, _ := addrPort(d.LocalAddr)
	for try := 0; ; try++ {
		conn, err := d.connect(ctx, n, a)
		last := n.kind != "tcp" || local.Port() != 0 || try == 2
		switch {
		case err != nil:
			if last || !errors.Is(err, syscall.EADDRNOTAVAIL) {
				return nil, err
			}
		case last || !metItself(conn):
			return conn, nil
		default:
			conn.Close()
		}
	}
}

func metItself(conn net.Conn) bool {
	c, ok := conn.(*TCPConn)
	return ok && c.local == c.remote
}

// connect makes the socket calls of one dial.
func (d *Dialer) connect(ctx context.Context, n network, a net.Addr) (_ net.Conn, err error) {
	n.family = n.familyOf(d.LocalAddr, a)
	s, err := d.Host.open(&n)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := d.Host.setUp(s, &n, n.name[len(n.name)-1] == '6', d.Control); err != nil {
		return nil, err
	}
	if d.LocalAddr != nil {
		sa, err := d.Host.sockaddr(n.family, d.LocalAddr)
		if err != nil {
			return nil, err
		}
		if err := s.Bind(sa); err != nil {
			return nil, err
		}
	}
	var remote Sockaddr
	if u, ok := a.(*net.UnixAddr); !ok || u.Name != "" {
		if remote, err = d.Host.sockaddr(n.family, a); err != nil {
			return nil, err
		}
		if err := s.WithContext(ctx).Connect(remote); err != nil {
			return nil, err
		}
	}
	if remote.Addr().IsUnspecified() { // which means this host
		if remote, err = s.Getpeername(); err != nil {
			return nil, err
		}
	}
	if n.kind == "tcp" {
		setTCPDefaults(s, d.KeepAlive, d.KeepAliveConfig)
	}
	return newConn(s, n, remote), nil
}
