//go:build linux

package sockeye_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// A farEngine is a model of far hosts, in virtual time: each answers a
// connection after a time, or never.
type farEngine struct {
	names map[string][]string
	hosts map[string]answer
	start time.Time

	mu     sync.Mutex
	log    []string
	opened int
	closed int
}

type answer struct {
	after time.Duration
	err   error // why not
}

func (e *farEngine) Name() string { return "far" }

func (e *farEngine) say(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = append(e.log, fmt.Sprintf("%v ", time.Since(e.start))+fmt.Sprintf(format, args...))
}

func (e *farEngine) Socket(sockeye.Family, sockeye.Type, sockeye.Protocol) (sockeye.Endpoint, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.opened++
	return &farEndpoint{engine: e, interrupted: make(chan struct{})}, nil
}

func (e *farEngine) Socketpair(sockeye.Family, sockeye.Type, sockeye.Protocol) (a, b sockeye.Endpoint, err error) {
	return nil, nil, syscall.EOPNOTSUPP
}

func (e *farEngine) Poll(context.Context, []sockeye.Endpoint, []sockeye.Events, []sockeye.Events, time.Time) (int, error) {
	return 0, syscall.EOPNOTSUPP
}

func (e *farEngine) LookupHost(ctx context.Context, name string) ([]string, error) {
	if addrs, ok := e.names[name]; ok {
		return addrs, nil
	}
	if name == "slow" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (e *farEngine) InterfaceIndex(name string) (int, error) {
	if name == "far0" {
		return 7, nil
	}
	return 0, errors.New("no such interface")
}

func (e *farEngine) InterfaceName(int) (string, error) { return "far0", nil }

// A farEndpoint is one connection under way.
type farEndpoint struct {
	sockeye.Endpoint // what no dial calls
	engine           *farEngine
	begun            time.Time // when it was begun to connect
	after            time.Duration
	err              error

	mu          sync.Mutex
	interrupted chan struct{}
}

func (ep *farEndpoint) Descriptor() int                   { return -1 }
func (ep *farEndpoint) Setsockopt(int, int, []byte) error { return nil }
func (ep *farEndpoint) Bind(sockeye.Sockaddr) error       { return nil }

func (ep *farEndpoint) Getsockname() (sockeye.Sockaddr, error) {
	return sockeye.SockaddrInet4([4]byte{10, 0, 0, 1}, 50000), nil
}

func (ep *farEndpoint) Connect(sa sockeye.Sockaddr) error {
	switch {
	case ep.begun.IsZero():
		ep.engine.say("to %v", sa.Addr())
		host, known := ep.engine.hosts[sa.Addr().String()]
		if !known {
			host.after = 24 * time.Hour
		}
		ep.begun, ep.after, ep.err = time.Now(), host.after, host.err
		return syscall.EINPROGRESS
	case time.Since(ep.begun) < ep.after:
		return syscall.EALREADY
	}
	return ep.err
}

func (ep *farEndpoint) Wait(_ sockeye.Direction, w sockeye.Waiter) error {
	for {
		ep.mu.Lock()
		interrupted := ep.interrupted
		ep.mu.Unlock()
		if w.Try() {
			return nil
		}
		answered := time.NewTimer(time.Until(ep.begun.Add(ep.after)))
		select {
		case <-interrupted:
			answered.Stop()
			return sockeye.ErrInterrupted
		case <-answered.C:
		}
	}
}

func (ep *farEndpoint) Interrupt(sockeye.Direction) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	close(ep.interrupted)
	ep.interrupted = make(chan struct{})
}

func (ep *farEndpoint) Close() error {
	ep.engine.mu.Lock()
	defer ep.engine.mu.Unlock()
	ep.engine.closed++
	return nil
}

func TestDialsShareTheirTime(t *testing.T) {
	const six, six2, four, four2, four3 = "2001:db8::6", "2001:db8::62", "192.0.2.4", "192.0.2.42", "192.0.2.43"
	ms := time.Millisecond
	refused := syscall.ECONNREFUSED
	for _, tt := range []struct {
		name     string
		network  string // "tcp" if empty
		address  string // "host:80" if empty
		addrs    []string
		hosts    map[string]answer
		dialer   sockeye.Dialer
		cancel   time.Duration
		want     string // where it led
		wantErr  error
		attempts []string
		ends     time.Duration
	}{
		{
			name: "a silent family is passed after 300 ms", addrs: []string{six, four},
			hosts: map[string]answer{four: {after: 10 * ms}},
			want:  four, attempts: []string{"0s to " + six, "300ms to " + four}, ends: 310 * ms,
		}, {
			name: "the delay is the Dialer's", addrs: []string{six, four}, dialer: sockeye.Dialer{FallbackDelay: 50 * ms},
			hosts: map[string]answer{four: {after: 10 * ms}},
			want:  four, attempts: []string{"0s to " + six, "50ms to " + four}, ends: 60 * ms,
		}, {
			name: "a refusal starts the other family at once", addrs: []string{six, four},
			hosts: map[string]answer{six: {20 * ms, refused}, four: {after: 10 * ms}},
			want:  four, attempts: []string{"0s to " + six, "20ms to " + four}, ends: 30 * ms,
		}, {
			name: "a family that answers in time is alone", addrs: []string{six, four},
			hosts: map[string]answer{six: {after: 299 * ms}, four: {after: ms}},
			want:  six, attempts: []string{"0s to " + six}, ends: 299 * ms,
		}, {
			name: "the first family can still win", addrs: []string{four, six},
			hosts: map[string]answer{four: {after: 400 * ms}, six: {after: 200 * ms}},
			want:  four, attempts: []string{"0s to " + four, "300ms to " + six}, ends: 400 * ms,
		}, {
			name: "the error is the first family's", addrs: []string{six, four},
			hosts:   map[string]answer{six: {500 * ms, refused}, four: {10 * ms, syscall.EHOSTUNREACH}},
			wantErr: refused, attempts: []string{"0s to " + six, "300ms to " + four}, ends: 500 * ms,
		}, {
			name: "a negative delay tries one after the other", addrs: []string{six, four, six2}, dialer: sockeye.Dialer{FallbackDelay: -1},
			hosts: map[string]answer{six: {400 * ms, refused}, four: {400 * ms, refused}, six2: {after: ms}},
			want:  six2, attempts: []string{"0s to " + six, "400ms to " + four, "800ms to " + six2}, ends: 801 * ms,
		}, {
			name: "one family does not race", network: "tcp6", addrs: []string{six, four, six2},
			hosts: map[string]answer{six: {400 * ms, refused}, six2: {after: ms}, four: {after: ms}},
			want:  six2, attempts: []string{"0s to " + six, "400ms to " + six2}, ends: 401 * ms,
		}, {
			name: "a timeout is shared evenly", addrs: []string{four, four2, four3}, dialer: sockeye.Dialer{Timeout: 12 * time.Second},
			wantErr: os.ErrDeadlineExceeded, attempts: []string{"0s to " + four, "4s to " + four2, "8s to " + four3}, ends: 12 * time.Second,
		}, {
			name: "no address gets less than two seconds", addrs: []string{four, four2, four3}, dialer: sockeye.Dialer{Timeout: 3 * time.Second},
			wantErr: os.ErrDeadlineExceeded, attempts: []string{"0s to " + four, "2s to " + four2}, ends: 3 * time.Second,
		}, {
			name: "what one address leaves is the others'", addrs: []string{four, four2, four3}, dialer: sockeye.Dialer{Timeout: 12 * time.Second},
			hosts:   map[string]answer{four: {time.Second, refused}},
			wantErr: refused, attempts: []string{"0s to " + four, "1s to " + four2, "6.5s to " + four3}, ends: 12 * time.Second,
		}, {
			name: "a context ends it", addrs: []string{six, four}, cancel: time.Second,
			wantErr: context.Canceled, attempts: []string{"0s to " + six, "300ms to " + four}, ends: time.Second,
		}, {
			name: "a timeout ends the lookup too", address: "slow:80", dialer: sockeye.Dialer{Timeout: time.Second},
			wantErr: os.ErrDeadlineExceeded, ends: time.Second,
		}, {
			name: "no such host", address: "nobody:80", wantErr: &net.DNSError{},
		}, {
			name: "a local address chooses the family", addrs: []string{six, four, four2},
			dialer: sockeye.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}},
			hosts:  map[string]answer{six: {after: ms}, four: {ms, refused}, four2: {after: ms}},
			want:   four2, attempts: []string{"0s to " + four, "1ms to " + four2}, ends: 2 * ms,
		}, {
			name: "a zone is looked up", address: "[fe80::1%far0]:80", hosts: map[string]answer{"fe80::1%7": {}},
			want: "fe80::1%7", attempts: []string{"0s to fe80::1%7"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &farEngine{names: map[string][]string{"host": tt.addrs}, hosts: tt.hosts, start: time.Now()}
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				if tt.cancel > 0 {
					time.AfterFunc(tt.cancel, cancel)
				}
				network, address := tt.network, tt.address
				if network == "" {
					network = "tcp"
				}
				if address == "" {
					address = "host:80"
				}
				tt.dialer.Host = sockeye.NewHost(e)
				conn, err := tt.dialer.DialContext(ctx, network, address)
				took := time.Since(e.start)
				synctest.Wait() // the loser of a race leaves
				live := 0
				switch {
				case tt.wantErr != nil:
					_, dns := errors.AsType[*net.DNSError](err)
					_, wantDNS := tt.wantErr.(*net.DNSError)
					timeout := tt.wantErr == os.ErrDeadlineExceeded && err != nil && err.(net.Error).Timeout()
					if !errors.Is(err, tt.wantErr) && !timeout && !(dns && wantDNS) {
						t.Errorf("got %v, want %v", err, tt.wantErr)
					}
				case err != nil:
					t.Error(err)
				default:
					live = 1
					if ap := conn.RemoteAddr().(*net.TCPAddr).AddrPort(); ap.Addr() != netip.MustParseAddr(tt.want) || ap.Port() != 80 {
						t.Errorf("connected to %v, want %s", ap, tt.want)
					}
				}
				if !slices.Equal(e.log, tt.attempts) {
					t.Errorf("attempts %q, want %q", e.log, tt.attempts)
				}
				if took != tt.ends {
					t.Errorf("ended after %v, want %v", took, tt.ends)
				}
				if e.opened-e.closed != live {
					t.Errorf("%d sockets were opened and %d closed", e.opened, e.closed)
				}
			})
		})
	}
}

// silentListener listens on [::1] with a full backlog, which drops what comes
// (listen(2)), so that connections to its port stay under way.
func silentListener(t *testing.T) (port int) {
	t.Helper()
	l := must(kernel.Host().Socket(sockeye.AF_INET6, sockeye.SOCK_STREAM, 0))(t)
	t.Cleanup(func() { l.Close() })
	check(t, l.Bind(sockeye.SockaddrInet6([16]byte{15: 1}, 0, 0, 0)))
	check(t, l.Listen(0)) // which has room for one
	to := must(l.Getsockname())(t)
	s := must(kernel.Host().Socket(sockeye.AF_INET6, sockeye.SOCK_STREAM, 0))(t)
	t.Cleanup(func() { s.Close() })
	check(t, s.Connect(to))
	must(kernel.Host().Poll(t.Context(), []sockeye.PollFd{{Socket: l, Events: sockeye.POLLIN}}, -1))(t)
	return int(to.Port())
}

func TestFallbackReachesTheOtherFamily(t *testing.T) {
	var four net.Listener
	for four == nil { // another program may have the same port of IPv4
		var err error
		four, err = kernel.Host().Listen("tcp", fmt.Sprintf("127.0.0.1:%d", silentListener(t)))
		if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
	defer four.Close()
	h := sockeye.NewHost(&namedEngine{kernel.Host().Engine(), map[string][]string{"both": {"::1", "127.0.0.1"}}})
	d := sockeye.Dialer{Host: h, FallbackDelay: time.Millisecond}
	c := must(d.Dial("tcp", fmt.Sprintf("both:%d", four.Addr().(*net.TCPAddr).Port)))(t)
	defer c.Close()
	if got := c.RemoteAddr().String(); got != four.Addr().String() {
		t.Errorf("connected to %s, want %v", got, four.Addr())
	}
}

func TestDialsEndWithTheirContext(t *testing.T) {
	address := fmt.Sprintf("[::1]:%d", silentListener(t))
	_, err := (&sockeye.Dialer{Host: kernel.Host(), Timeout: 10 * time.Millisecond}).Dial("tcp", address)
	if !errors.Is(err, context.DeadlineExceeded) || !err.(net.Error).Timeout() {
		t.Errorf("Timeout: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := sockeye.Dialer{Host: kernel.Host(), Control: func(*sockeye.Socket) error {
		time.AfterFunc(time.Millisecond, cancel)
		return nil
	}}
	if _, err := d.DialContext(ctx, "tcp", address); !errors.Is(err, context.Canceled) {
		t.Errorf("cancel: %v", err)
	}
}

// A namedEngine is an engine that knows names of its own.
type namedEngine struct {
	sockeye.Engine
	names map[string][]string
}

func (e *namedEngine) LookupHost(_ context.Context, name string) ([]string, error) {
	return e.names[name], nil
}

func (e *namedEngine) InterfaceIndex(string) (int, error) { return 0, errors.New("no such interface") }

func (e *namedEngine) InterfaceName(int) (string, error) { return "", errors.New("no such interface") }

func TestResolveGivesSocketAddresses(t *testing.T) {
	h := sockeye.NewHost(&namedEngine{kernel.Host().Engine(), map[string][]string{"both": {"::1", "127.0.0.1"}}})
	for _, tt := range []struct {
		network, address string
		want             []string
	}{
		{"tcp", "both:80", []string{"[::1]:80", "127.0.0.1:80"}},
		{"tcp4", "both:http", []string{"127.0.0.1:80"}},
		{"udp6", "both:domain", []string{"[::1]:53"}},
		{"tcp", ":80", []string{"0.0.0.0:80"}},
		{"tcp6", ":80", []string{"[::]:80"}},
		{"ip4:icmp", "both", []string{"127.0.0.1:0"}},
		{"unix", "/run/x", []string{"/run/x"}},
		{"unix", "@x", []string{"@x"}},
		{"tcp", "[fe80::1%3]:80", []string{"[fe80::1%3]:80"}},
	} {
		sas, err := h.Resolve(t.Context(), tt.network, tt.address)
		var got []string
		for _, sa := range sas {
			got = append(got, sa.String())
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s %s: got %v, %v; want %v", tt.network, tt.address, got, err, tt.want)
		}
	}
	for _, tt := range []struct{ network, address, want string }{
		{"tcp", "nobody:80", "address nobody: no suitable address found"},
		{"tcp6", "127.0.0.1:80", "address 127.0.0.1: no suitable address found"},
		{"tcp", "127.0.0.1:99999", "address 99999: invalid port"},
		{"tcp", "[fe80::1%none]:80", "address none: no such network interface"},
		{"sctp", "127.0.0.1:80", "unknown network sctp"},
	} {
		if sas, err := h.Resolve(t.Context(), tt.network, tt.address); err == nil || err.Error() != tt.want {
			t.Errorf("%s %s: got %v, %v; want %q", tt.network, tt.address, sas, err, tt.want)
		}
	}
}
