//go:build linux && oracle

package tcp_test

// With the build tag "oracle" the scenarios are played on the kernel instead, each over a TUN device in
// a network namespace of its own (as root): go test -tags oracle -run 'Test.*/' ./stack/tcp
// What the kernel sends is compared like what the package sends, with some milliseconds of tolerance.

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sockeye/stack/tcp"
	"sockeye/wire"
)

func init() { oracle = playKernel }

const (
	tolerance = 0.012 // seconds early
	late      = 0.05  // seconds late
	lateTimer = 0.13  // of a wait: the kernel's timer wheel is coarse // seconds
	longest   = 10    // seconds; longer scripts are cut
)

// differs has the scenarios in which the kernel does something else, and why.
var differs = map[string]string{
	"our window shrinks as data waits and opens as it is read": "the kernel's window depends on the size of its packet buffers",
	"data for a closed window is dropped and answered":         "the kernel's window depends on the size of its packet buffers",
	"every second full segment is acknowledged":                "the kernel's window depends on the size of its packet buffers",
	"a SYN-ACK with both bits does not agree":                  "Linux 6.18 takes it for accurate ECN (RFC 9768), which it did not ask for",
	"a newer SYN opens a new connection":                       "nobody listens",
	"with timestamps a SYN with a later one is newer":          "nobody listens",
	"TCP_DEFER_ACCEPT waits for data":                          "the state of a request cannot be asked for",
}

// A kernel is the kernel's side of a scenario.
type kernel struct {
	*player
	tun       *os.File
	fd        int // of the connection; -1: none
	listener  int
	begin     time.Time
	mu        sync.Mutex
	seen      []kernelSegment
	learnt    bool
	lag       float64 // how late the last segment was
	counters0 map[string]int
}

type kernelSegment struct {
	at  float64
	seg tcp.Segment
}

func playKernel(t *testing.T, sc *scenario) {
	if sc.config.GSO != 0 || sc.config.IPHeader != 0 || regexp.MustCompile(`fastopen|\bfo\b|abort|toobig|unreachable|COOKIE`).MatchString(sc.script) {
		t.Skip("not for the kernel: large segments, Fast Open keys, calls that it does not have")
	}
	if why := differs[sc.name]; why != "" {
		t.Skip(why)
	}
	runtime.LockOSThread() // never unlocked: the thread dies with its namespace
	must(t, unix.Unshare(unix.CLONE_NEWNET))
	k := &kernel{player: newPlayer(t, sc), fd: -1, listener: -1}
	k.openTUN()
	k.sysctls()
	k.counters0 = counters(t)
	if sc.open != "closed" {
		k.handshakeKernel()
	} else {
		k.begin = time.Now()
	}
	k.playScript(sc.script)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (k *kernel) openTUN() {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR, 0)
	must(k, err)
	req, err := unix.NewIfreq("tun0")
	must(k, err)
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	must(k, unix.IoctlIfreq(fd, unix.TUNSETIFF, req))
	for _, c := range []string{"link set lo up", "addr add 192.0.2.1/24 dev tun0", "link set tun0 up gso_max_segs 1"} {
		if out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput(); err != nil {
			k.Fatalf("ip %s: %v %s", c, err, out)
		}
	}
	must(k, unix.SetNonblock(fd, true))
	k.tun = os.NewFile(uintptr(fd), "tun")
	k.Cleanup(func() { k.tun.Close() })
	go k.receive()
}

func (k *kernel) receive() {
	b := make([]byte, 65536)
	for {
		n, err := k.tun.Read(b)
		if err != nil {
			return
		}
		now := time.Now()
		ip, seg, err := wire.ParseIPv4(b[:n])
		if err != nil || ip.Protocol != wire.IPPROTO_TCP {
			continue
		}
		h, payload, err := wire.ParseTCP(seg)
		if err != nil {
			continue
		}
		k.mu.Lock()
		if h.Flags&wire.SYN != 0 && !k.learnt {
			k.learnt = true
			k.iss = h.Seq
			if k.begin.IsZero() {
				k.begin = now
			}
			k.tick = h.Options.TSVal - uint32(min(now.Sub(k.begin), 0)/time.Millisecond)
		}
		s := tcp.Segment{TCP: h, ECN: ip.TOS.ECN()}
		s.Payload = stream(0, len(payload))
		k.seen = append(k.seen, kernelSegment{now.Sub(k.begin).Seconds(), s})
		k.mu.Unlock()
	}
}

func sysctl(t testing.TB, name string, value any) {
	must(t, os.WriteFile("/proc/sys/net/ipv4/"+name, fmt.Append(nil, value), 0))
}

func (k *kernel) sysctls() {
	d := tcp.Defaults()
	if k.sc.settings != nil {
		k.sc.settings(&d)
	}
	b := func(v bool) int {
		if v {
			return 1
		}
		return 0
	}
	for name, v := range map[string]any{
		"tcp_timestamps": b(d.Timestamps), "tcp_sack": b(d.SACK), "tcp_ecn": d.ECN,
		"tcp_window_scaling": b(d.WindowScaling), "tcp_mtu_probing": d.MTUProbing, "tcp_retries2": d.Retries2,
		"tcp_challenge_ack_limit": d.ChallengeACKLimit, "tcp_invalid_ratelimit": int(d.InvalidRatelimit / tcp.Millisecond),
		"tcp_slow_start_after_idle": b(d.SlowStartAfterIdle), "tcp_orphan_retries": d.OrphanRetries,
		"tcp_syn_linear_timeouts": d.SYNLinearTimeouts, "tcp_rfc1337": b(d.RFC1337), "tcp_rmem": "4096 131072 6291456",
		"tcp_wmem": "4096 16384 4194304", "tcp_ecn_fallback": 1,
	} {
		sysctl(k, name, v)
	}
}

func counters(t testing.TB) map[string]int {
	m := map[string]int{}
	for _, f := range []string{"netstat", "snmp"} {
		b, err := os.ReadFile("/proc/thread-self/net/" + f)
		must(t, err)
		lines := strings.Split(string(b), "\n")
		for i := 0; i+1 < len(lines); i += 2 {
			names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
			if len(names) == 0 || names[0] != "Tcp:" && names[0] != "TcpExt:" {
				continue
			}
			for j := 1; j < len(names); j++ {
				m[names[j]], _ = strconv.Atoi(values[j])
			}
		}
	}
	return m
}

func (k *kernel) socket() int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	must(k, err)
	must(k, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	must(k, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 1}, Port: 40000}))
	d := tcp.Defaults()
	if k.sc.settings != nil {
		k.sc.settings(&d)
	}
	must(k, unix.SetsockoptString(fd, unix.SOL_TCP, unix.TCP_CONGESTION, d.Congestion))
	c := k.sc.config
	set := func(level, name, v int) {
		if v != 0 {
			must(k, unix.SetsockoptInt(fd, level, name, v))
		}
	}
	b := func(v bool) int {
		if v {
			return 1
		}
		return 0
	}
	set(unix.SOL_SOCKET, unix.SO_RCVBUF, int(c.RcvBuf)/2)
	set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, b(c.KeepAlive))
	set(unix.SOL_SOCKET, unix.SO_OOBINLINE, b(c.OOBInline))
	set(unix.SOL_TCP, unix.TCP_NODELAY, b(c.NoDelay))
	set(unix.SOL_TCP, unix.TCP_CORK, b(c.Cork))
	set(unix.SOL_TCP, unix.TCP_MAXSEG, int(c.MaxSeg))
	set(unix.SOL_TCP, unix.TCP_SYNCNT, int(c.SYNCount))
	set(unix.SOL_TCP, unix.TCP_KEEPIDLE, int(c.KeepIdle))
	set(unix.SOL_TCP, unix.TCP_KEEPINTVL, int(c.KeepInterval))
	set(unix.SOL_TCP, unix.TCP_KEEPCNT, int(c.KeepCount))
	set(unix.SOL_TCP, unix.TCP_USER_TIMEOUT, int(c.UserTimeout))
	set(unix.SOL_TCP, unix.TCP_DEFER_ACCEPT, []int{0, 1, 3, 7}[c.DeferAccept])
	if c.Linger2 < 0 {
		set(unix.SOL_TCP, unix.TCP_LINGER2, -1)
	}
	set(unix.SOL_TCP, unix.TCP_LINGER2, int(c.Linger2))
	return fd
}

func (k *kernel) connectKernel() {
	k.fd = k.socket()
	if err := unix.Connect(k.fd, &unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 2}, Port: 80}); err != unix.EINPROGRESS {
		k.Fatal(err)
	}
}

func (k *kernel) handshakeKernel() {
	rtt := k.sc.rtt
	if rtt == 0 {
		rtt = 0.1
	}
	k.begin = time.Now().Add(time.Duration(rtt * 1e9))
	k.connectKernel()
	time.Sleep(time.Until(k.begin))
	k.take()
	options, win := k.sc.open, k.sc.win
	if options == "" {
		options = peerOptions
	}
	if options == "none" {
		options = ""
	}
	if win == 0 {
		win = 65535
	}
	flags := "S."
	if strings.HasPrefix(options, "ecn ") {
		flags, options = "SE.", options[4:]
	}
	k.arriveKernel(fmt.Sprintf("%s 0 ack 1 win %d <%s>", flags, win, options))
	for range 1000 {
		time.Sleep(200 * time.Microsecond)
		k.mu.Lock()
		n := len(k.seen)
		k.mu.Unlock()
		if n > 0 {
			break
		}
	}
	k.take()
}

func (k *kernel) take() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen = k.seen[:0]
}

// arriveKernel writes a segment of the peer to the device.
func (k *kernel) arriveKernel(text string) {
	s := k.parse(text)
	s.SrcPort, s.DstPort = 80, 40000
	ip := wire.IPv4{Src: addr("192.0.2.2"), Dst: addr("192.0.2.1"), Protocol: wire.IPPROTO_TCP, TTL: 64}
	ip.TOS = ip.TOS.WithECN(s.ECN)
	b := make([]byte, 2048+s.Len())
	n := ip.Put(b, s.TCP.Len()+s.Len())
	m := s.TCP.Put(b[n:])
	s.Payload.CopyTo(b[n+m:], 0)
	b = b[:n+m+s.Len()]
	wire.FillTCP(b[n:], wire.PseudoSum(ip.Src, ip.Dst, wire.IPPROTO_TCP, len(b)-n))
	if _, err := k.tun.Write(b); err != nil {
		k.fail("%v", err)
	}
}

func addr(s string) wire.Addr { return wire.AddrFromNetip(netip.MustParseAddr(s)) }

func (k *kernel) playScript(script string) {
	now := 0.0
	for _, line := range strings.Split(script, "\n") {
		if line, _, _ = strings.Cut(line, "//"); strings.TrimSpace(line) == "" {
			continue
		}
		k.line = strings.TrimSpace(line)
		when, rest, _ := strings.Cut(k.line, " ")
		rest = strings.TrimSpace(rest)
		at, _ := strconv.ParseFloat(when, 64)
		if when[0] == '+' {
			at += now
		}
		before := now
		if now = at; now > longest {
			return
		}
		if arg, ok := strings.CutPrefix(rest, "> "); ok {
			k.expectKernel(at, before, strings.TrimSpace(arg))
			continue
		}
		time.Sleep(time.Until(k.begin.Add(time.Duration(at * 1e9))))
		k.quiet()
		if arg, ok := strings.CutPrefix(rest, "< "); ok {
			k.arriveKernel(strings.TrimSpace(arg))
		} else if arg, ok := strings.CutPrefix(rest, "? "); ok {
			k.checkKernel(strings.Fields(arg))
		} else {
			k.callKernel(rest)
		}
	}
	k.quiet()
}

// quiet fails if something was sent that no line wants.
func (k *kernel) quiet() {
	time.Sleep(500 * time.Microsecond)
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.seen) > 0 {
		s := k.seen[0]
		k.fail("unexpected segment at %.6f: %s", s.at, k.text(&s.seg))
	}
}

func (k *kernel) expectKernel(at, before float64, want string) {
	late := late + lateTimer*max(at-before, 0.6) + k.lag
	k.Helper()
	until := k.begin.Add(time.Duration((at + late) * 1e9))
	var got kernelSegment
	for {
		k.mu.Lock()
		n := len(k.seen)
		if n > 0 {
			got = k.seen[0]
			k.seen = append(k.seen[:0], k.seen[1:]...)
		}
		k.mu.Unlock()
		if n > 0 {
			break
		}
		if time.Now().After(until) {
			k.fail("nothing was sent by %.6f", at)
		}
		time.Sleep(200 * time.Microsecond)
	}
	g, w := k.fields(k.text(&got.seg)), k.fields(k.canonical(want))
	if got.at < at-tolerance || got.at > at+late {
		k.fail("sent at %.6f, want %.6f: %s", got.at, at, k.text(&got.seg))
	}
	k.lag = max(got.at-at, 0)
	clock := regexp.MustCompile(`ts -?\d+`)
	g["options"], w["options"] = clock.ReplaceAllString(g["options"], "ts"), clock.ReplaceAllString(w["options"], "ts")
	for _, key := range []string{"flags", "seq", "ack", "options", "win", "urg", "ecn"} {
		if _, given := w[key]; !given && (key == "win" || key == "ecn") {
			continue
		}
		if g[key] != w[key] {
			k.fail("%s is %q, want %q\n\tsent: %s", key, g[key], w[key], k.text(&got.seg))
		}
	}
}

func (k *kernel) callKernel(text string) {
	text, want, compare := strings.Cut(text, " = ")
	f := strings.Fields(text)
	on := 0
	if len(f) > 1 && f[1] == "on" {
		on = 1
	}
	if k.fd < 0 && k.listener >= 0 {
		fd, _, err := unix.Accept4(k.listener, unix.SOCK_NONBLOCK)
		if err != nil {
			k.fail("accept: %v", err)
		}
		k.fd = fd
	}
	got := ""
	result := func(n int, err error) {
		switch {
		case err == unix.EAGAIN && f[0] == "read":
			got = "0"
		case err != nil:
			got = errName(err)
		default:
			got = strconv.Itoa(n)
		}
	}
	switch f[0] {
	case "connect":
		k.connectKernel()
	case "listen":
		k.listener = k.socket()
		must(k, unix.Listen(k.listener, 5))
	case "write":
		flags := unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
		for _, o := range f[2:] {
			flags |= map[string]int{"more": unix.MSG_MORE, "urgent": unix.MSG_OOB}[o]
		}
		result(unix.SendmsgN(k.fd, make([]byte, k.num(f[1])), nil, nil, flags))
	case "read":
		n, _, err := unix.Recvfrom(k.fd, make([]byte, k.num(f[1])), unix.MSG_DONTWAIT)
		result(n, err)
	case "readurgent":
		b, flags := make([]byte, 1), unix.MSG_DONTWAIT|unix.MSG_OOB
		if len(f) > 1 {
			flags |= unix.MSG_PEEK
		}
		_, _, err := unix.Recvfrom(k.fd, b, flags)
		result(int(b[0]), err)
	case "close":
		if len(f) > 1 {
			must(k, unix.SetsockoptLinger(k.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
		}
		must(k, unix.Close(k.fd))
		k.fd = -2
	case "shutdown":
		result(0, unix.Shutdown(k.fd, unix.SHUT_WR))
	case "shutdown_read":
		result(0, unix.Shutdown(k.fd, unix.SHUT_RD))
	case "nodelay":
		must(k, unix.SetsockoptInt(k.fd, unix.SOL_TCP, unix.TCP_NODELAY, on))
	case "cork":
		must(k, unix.SetsockoptInt(k.fd, unix.SOL_TCP, unix.TCP_CORK, on))
	case "quickack":
		must(k, unix.SetsockoptInt(k.fd, unix.SOL_TCP, unix.TCP_QUICKACK, on))
	case "keepalive":
		must(k, unix.SetsockoptInt(k.fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, on))
	case "keepidle":
		must(k, unix.SetsockoptInt(k.fd, unix.SOL_TCP, unix.TCP_KEEPIDLE, k.num(f[1])))
	case "congestion":
		got = strconv.FormatBool(unix.SetsockoptString(k.fd, unix.SOL_TCP, unix.TCP_CONGESTION, f[1]) == nil)
	default:
		k.fail("%q is no call", f[0])
	}
	if compare && got != strings.TrimSpace(want) {
		k.fail("%s gives %s, want %s", text, got, want)
	}
}

func (k *kernel) checkKernel(f []string) {
	want := f[1]
	if v, ok := k.counters0[f[0]]; ok {
		if got := counters(k)[f[0]] - v; strconv.Itoa(got) != want {
			k.fail("%s is %d, want %s", f[0], got, want)
		}
		return
	}
	if k.fd < 0 && k.listener >= 0 && k.fd != -2 {
		if fd, _, err := unix.Accept4(k.listener, unix.SOCK_NONBLOCK); err == nil {
			k.fd = fd
		}
	}
	if k.fd < 0 {
		return
	}
	got := ""
	info, err := unix.GetsockoptTCPInfo(k.fd, unix.SOL_TCP, unix.TCP_INFO)
	must(k, err)
	switch f[0] {
	case "state":
		got = tcp.State(info.State).String()
		if want == "TIME-WAIT" { // of which a socket sees nothing
			want = "CLOSED"
		}
	case "err":
		if want != "none" { // it may be the timer that is late
			unix.Poll([]unix.PollFd{{Fd: int32(k.fd), Events: unix.POLLERR}}, 500)
		}
		e, err := unix.GetsockoptInt(k.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		must(k, err)
		if got = "none"; e != 0 {
			got = errName(unix.Errno(e))
		}
	case "atmark":
		v, err := unix.IoctlGetInt(k.fd, unix.SIOCATMARK)
		must(k, err)
		got = strconv.FormatBool(v != 0)
	case "unread":
		v, err := unix.IoctlGetInt(k.fd, unix.SIOCINQ)
		must(k, err)
		got = strconv.Itoa(v)
	case "SndCwnd":
		got = fmt.Sprint(info.Snd_cwnd)
	case "SndSsthresh":
		got = fmt.Sprint(info.Snd_ssthresh)
	case "SndMSS", "mss":
		got = fmt.Sprint(info.Snd_mss)
	case "Unacked":
		got = fmt.Sprint(info.Unacked)
	case "Sacked":
		got = fmt.Sprint(info.Sacked)
	case "Lost":
		got = fmt.Sprint(info.Lost)
	case "Options":
		got = fmt.Sprint(info.Options)
	case "CAState":
		got = [...]string{"open", "disorder", "cwr", "recovery", "loss"}[info.Ca_state]
	case "ReordSeen":
		got = fmt.Sprint(info.Reord_seen)
	case "RcvOooPack":
		got = fmt.Sprint(info.Rcv_ooopack)
	case "SndWnd":
		got = fmt.Sprint(info.Snd_wnd)
	case "PMTU":
		got = fmt.Sprint(info.Pmtu)
	default:
		return
	}
	if got != want {
		k.fail("%s is %s, want %s", f[0], got, want)
	}
}
