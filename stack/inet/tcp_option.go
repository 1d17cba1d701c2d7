package inet

import (
	"bytes"
	"math"
	"syscall"

	"sockeye"
	"sockeye/stack/sock"
	"sockeye/stack/tcp"
)

// tcpOptions are those of IPPROTO_TCP that the connection does not keep.
type tcpOptions struct {
	congestion string
	fastOpen   int // TCP_FASTOPEN: how many may wait in early
	txDelay    int
	key        []byte // TCP_FASTOPEN_KEY
	deferredTo sockeye.Sockaddr

	saveSYN          uint8
	fastOpenConnect  bool
	fastOpenNoCookie bool
	inq              bool
}

// ownTCP gives the options that the connection does not keep, to be changed.
func (t *TCP) ownTCP() *tcpOptions {
	if t.optShared {
		o := *t.opt
		t.opt, t.optShared = &o, false
	}
	return t.opt
}

// ownConfig makes the options that the connection keeps the socket's own, to be changed.
func (t *TCP) ownConfig() {
	if t.cfg == &t.stack.tcp.config {
		t.cfg = new(tcp.Config)
	}
}

// A tcpOption is one whose value is an int. Without set it can't be set (ENOPROTOOPT).
type tcpOption struct {
	get func(t *TCP) int
	set func(t *TCP, v int) error
}

// within is an option with bounds.
func within(least, most int, get func(t *TCP) int, set func(t *TCP, v int)) tcpOption {
	return tcpOption{get, func(t *TCP, v int) error {
		if v < least || v > most {
			return syscall.EINVAL
		}
		set(t, v)
		return nil
	}}
}

// secondsOf is an option that is a time in seconds, of which 0 stands for the host's.
func secondsOf(field func(*tcp.Config) *tcp.Seconds, host func(*tcp.Settings) tcp.Time, set func(*TCP, tcp.Seconds)) tcpOption {
	return within(1, math.MaxInt16, func(t *TCP) int {
		if s := *field(t.cfg); s != 0 {
			return int(s)
		}
		return int(host(&t.stack.Sysctl.TCP.Settings) / tcp.Second)
	}, func(t *TCP, v int) { set(t, tcp.Seconds(v)) })
}

// countOf is an option that is a number up to 127, of which 0 stands for the host's.
func countOf(field func(*tcp.Config) *uint8, host func(*tcp.Settings) int) tcpOption {
	return within(1, math.MaxInt8, func(t *TCP) int {
		if n := *field(t.cfg); n != 0 {
			return int(n)
		}
		return host(&t.stack.Sysctl.TCP.Settings)
	}, func(t *TCP, v int) { *field(t.cfg) = uint8(v) })
}

// before is o for sockets that are not connected; others answer EINVAL.
func before(o tcpOption) tcpOption {
	set := o.set
	o.set = func(t *TCP, v int) error {
		if s := t.state(); s != tcp.Closed && s != tcp.Listen {
			return syscall.EINVAL
		}
		return set(t, v)
	}
	return o
}

// maxLinger2 is the longest TCP_LINGER2 (TCP_FIN_TIMEOUT_MAX).
const maxLinger2 = 120

// optionsTCP are the options of IPPROTO_TCP that are ints (do_tcp_setsockopt).
var optionsTCP = map[int]tcpOption{
	sockeye.TCP_NODELAY.Name: {
		func(t *TCP) int { return b2i(t.cfg.NoDelay) },
		func(t *TCP, v int) error {
			t.cfg.NoDelay = v != 0
			t.onConn(func(c *tcp.Conn, now tcp.Time) { c.SetNoDelay(now, v != 0) })
			return nil
		},
	},
	sockeye.TCP_CORK.Name: {
		func(t *TCP) int { return b2i(t.cfg.Cork) },
		func(t *TCP, v int) error {
			t.cfg.Cork = v != 0
			t.onConn(func(c *tcp.Conn, now tcp.Time) { c.SetCork(now, v != 0) })
			return nil
		},
	},
	sockeye.TCP_MAXSEG.Name: {
		func(t *TCP) int {
			switch state := t.state(); {
			case t.cfg.MaxSeg != 0 && (state == tcp.Closed || state == tcp.Listen):
				return int(t.cfg.MaxSeg)
			case t.conn != nil:
				return t.conn.MSS()
			case t.mss != 0:
				return int(t.mss)
			}
			return defaultMSS
		},
		func(t *TCP, v int) error {
			if v != 0 && (v < minMSS || v > math.MaxInt16) {
				return syscall.EINVAL
			}
			t.cfg.MaxSeg = uint16(v)
			return nil
		},
	},
	sockeye.TCP_KEEPIDLE.Name: secondsOf(
		func(c *tcp.Config) *tcp.Seconds { return &c.KeepIdle }, func(s *tcp.Settings) tcp.Time { return s.KeepIdle },
		func(t *TCP, s tcp.Seconds) {
			t.cfg.KeepIdle = s
			t.onConn(func(c *tcp.Conn, now tcp.Time) { c.SetKeepIdle(now, s) })
		}),
	sockeye.TCP_KEEPINTVL.Name: secondsOf(
		func(c *tcp.Config) *tcp.Seconds { return &c.KeepInterval }, func(s *tcp.Settings) tcp.Time { return s.KeepInterval },
		func(t *TCP, s tcp.Seconds) { t.cfg.KeepInterval = s }),
	sockeye.TCP_KEEPCNT.Name: countOf(
		func(c *tcp.Config) *uint8 { return &c.KeepCount }, func(s *tcp.Settings) int { return s.KeepCount }),
	sockeye.TCP_SYNCNT.Name: countOf(
		func(c *tcp.Config) *uint8 { return &c.SYNCount }, func(s *tcp.Settings) int { return s.SYNRetries }),
	sockeye.TCP_LINGER2.Name: {
		func(t *TCP) int {
			switch s := t.cfg.Linger2; {
			case s < 0:
				return -1
			case s > 0:
				return int(s)
			}
			return int(t.stack.Sysctl.TCP.FinTimeout / tcp.Second)
		},
		func(t *TCP, v int) error {
			t.cfg.Linger2 = tcp.Seconds(max(-1, min(v, maxLinger2)))
			return nil
		},
	},
	sockeye.TCP_DEFER_ACCEPT.Name: {
		func(t *TCP) int { return t.stack.tcp.host.DeferSeconds(t.cfg.DeferAccept) },
		func(t *TCP, v int) error {
			t.cfg.DeferAccept = t.stack.tcp.host.DeferTimeouts(v)
			return nil
		},
	},
	sockeye.TCP_WINDOW_CLAMP.Name: {
		func(t *TCP) int { return int(int32(t.cfg.WindowClamp)) },
		func(t *TCP, v int) error {
			switch {
			case v != 0: // at least half of the smallest SO_RCVBUF
				if t.cfg.WindowClamp = uint32(v); v < minWindowClamp {
					t.cfg.WindowClamp = minWindowClamp
				}
			case t.state() != tcp.Closed:
				return syscall.EINVAL
			default:
				t.cfg.WindowClamp = 0
			}
			return nil
		},
	},
	sockeye.TCP_QUICKACK.Name: {
		func(t *TCP) int {
			if t.conn != nil {
				return b2i(t.conn.QuickACK())
			}
			return b2i(!t.slowAck)
		},
		func(t *TCP, v int) error {
			t.slowAck = v == 0
			t.onConn(func(c *tcp.Conn, now tcp.Time) { c.SetQuickACK(now, v != 0) })
			return nil
		},
	},
	sockeye.TCP_USER_TIMEOUT.Name: within(0, math.MaxInt32,
		func(t *TCP) int { return int(t.cfg.UserTimeout) },
		func(t *TCP, v int) { t.cfg.UserTimeout = tcp.Milliseconds(v) }),
	sockeye.TCP_NOTSENT_LOWAT.Name: {
		func(t *TCP) int { return int(int32(t.cfg.NotsentLowat)) },
		func(t *TCP, v int) error {
			t.cfg.NotsentLowat = uint32(v)
			t.WakeAll()
			return nil
		},
	},
	sockeye.TCP_FASTOPEN.Name: before(within(0, math.MaxInt32,
		func(t *TCP) int { return t.opt.fastOpen },
		func(t *TCP, v int) { t.ownTCP().fastOpen = min(v, t.Host.Sysctl.Somaxconn) })),
	sockeye.TCP_FASTOPEN_CONNECT.Name: {
		func(t *TCP) int { return b2i(t.opt.fastOpenConnect) },
		func(t *TCP, v int) error {
			switch {
			case v != 0 && v != 1:
				return syscall.EINVAL
			case t.stack.Sysctl.TCP.FastOpen&fastOpenClient == 0:
				return syscall.EOPNOTSUPP
			case t.state() != tcp.Closed:
				return syscall.EINVAL
			}
			t.ownTCP().fastOpenConnect = v == 1
			return nil
		},
	},
	sockeye.TCP_FASTOPEN_NO_COOKIE.Name: before(within(0, 1,
		func(t *TCP) int { return b2i(t.opt.fastOpenNoCookie) },
		func(t *TCP, v int) { t.ownTCP().fastOpenNoCookie = v == 1 })),
	sockeye.TCP_TIMESTAMP.Name: { // only TCP_REPAIR may set it
		func(t *TCP) int { return int(int32(t.stack.now() / tcp.Millisecond)) },
		func(*TCP, int) error { return syscall.EPERM },
	},
	sockeye.TCP_SAVE_SYN.Name: within(0, 2,
		func(t *TCP) int { return int(t.opt.saveSYN) }, func(t *TCP, v int) { t.ownTCP().saveSYN = uint8(v) }),
	sockeye.TCP_INQ.Name: within(0, 1,
		func(t *TCP) int { return b2i(t.opt.inq) }, func(t *TCP, v int) { t.ownTCP().inq = v == 1 }),
	sockeye.TCP_TX_DELAY.Name: within(0, 1<<28-1,
		func(t *TCP) int { return t.opt.txDelay }, func(t *TCP, v int) { t.ownTCP().txDelay = v }),
}

const (
	defaultMSS     = 536 // RFC 9293 section 3.7.1
	minMSS         = 88  // Linux's TCP_MIN_MSS
	minWindowClamp = 1152
)

// onConn is for options that act at once.
func (t *TCP) onConn(f func(c *tcp.Conn, now tcp.Time)) {
	if t.conn != nil {
		now := t.stack.now()
		f(t.conn, now)
		t.settle(now)
	}
}

// Getsockopt is getsockopt(2).
func (t *TCP) Getsockopt(level, name int, val []byte) (int, error) {
	switch level {
	case sockeye.SOL_SOCKET:
		return t.getSocketTCP(name, val)
	case sockeye.SOL_TCP:
	default:
		if v, ok := t.ofSYN(level, name); ok {
			return sock.PutInt(val, v)
		}
		return t.getsockopt(level, name, val)
	}
	switch name {
	case sockeye.TCP_INFO.Name:
		info := t.Info()
		return copy(val, info.AppendBytes(nil)), nil
	case sockeye.TCP_CONGESTION.Name:
		var b [maxCongestionName]byte
		copy(b[:], t.opt.congestion)
		return copy(val, b[:]), nil
	case sockeye.TCP_FASTOPEN_KEY.Name:
		if len(val) < len(t.opt.key) {
			return 0, nil
		}
		return copy(val, t.opt.key), nil
	}
	o, ok := optionsTCP[name]
	if !ok {
		return 0, syscall.ENOPROTOOPT
	}
	return sock.PutInt(val, o.get(t))
}

// ofSYN is an option that a connection has from the SYN that opened it, as Linux has it
// (tcp_v4_syn_recv_sock). Programs cannot set them on streams.
func (t *TCP) ofSYN(level, name int) (v int, ok bool) {
	switch {
	case t.synTTL == 0:
		return 0, false
	case level == sockeye.SOL_IP && name == sockeye.IP_MULTICAST_TTL.Name && t.syn4,
		level == sockeye.SOL_IPV6 && name == sockeye.IPV6_MULTICAST_HOPS.Name && t.Family == sockeye.AF_INET6:
		return int(t.synTTL), true
	case level == sockeye.SOL_IPV6 && name == sockeye.IPV6_MULTICAST_IF.Name && t.Family == sockeye.AF_INET6:
		return int(t.synIface), true
	}
	return 0, false
}

const maxCongestionName = 16 // TCP_CA_NAME_MAX

// Setsockopt is setsockopt(2).
func (t *TCP) Setsockopt(level, name int, val []byte) error {
	switch level {
	case sockeye.SOL_SOCKET:
		t.ownConfig()
		return t.setSocketTCP(name, val)
	case sockeye.SOL_TCP:
		t.ownConfig()
	default:
		err := t.setsockopt(level, name, val)
		if t.conn != nil && level == sockeye.SOL_IP && name == sockeye.IP_OPTIONS.Name {
			h := header{dst: t.remote, options: t.ip.options}
			t.conn.SetIPHeader(h.len())
		}
		return err
	}
	switch name {
	case sockeye.TCP_CONGESTION.Name:
		return t.setCongestion(val)
	case sockeye.TCP_FASTOPEN_KEY.Name:
		if len(val) != 16 && len(val) != 32 {
			return syscall.EINVAL
		}
		t.ownTCP().key = bytes.Clone(val)
		return nil
	}
	v, err := sock.Int(val)
	if err != nil {
		return err
	}
	o, ok := optionsTCP[name]
	if !ok || o.set == nil {
		return syscall.ENOPROTOOPT
	}
	return o.set(t, v)
}

func (t *TCP) setCongestion(val []byte) error {
	if len(val) == 0 {
		return syscall.EINVAL
	}
	b, _, _ := bytes.Cut(val[:min(len(val), maxCongestionName-1)], []byte{0})
	if !tcp.HasCongestion(string(b)) {
		return syscall.ENOENT
	}
	t.ownTCP().congestion = string(b)
	if t.conn != nil {
		t.conn.SetCongestion(t.opt.congestion)
	}
	return nil
}

// Info is TCP_INFO.
func (t *TCP) Info() (info sockeye.TCPInfo) {
	switch {
	case t.queue != nil:
		info.Unacked, info.Sacked = uint32(t.queue.len()), uint32(t.queue.most)
	case t.conn != nil:
		return t.conn.Info(t.stack.now())
	}
	info.State = sockeye.TCPState(t.state())
	if t.deferred {
		info.State = sockeye.TCP_SYN_SENT
	}
	return info
}

// getSocketTCP adds to the options of SOL_SOCKET those that are others for TCP.
func (t *TCP) getSocketTCP(name int, val []byte) (int, error) {
	switch name {
	case sockeye.SO_ACCEPTCONN.Name:
		return sock.PutBool(val, t.queue != nil)
	case sockeye.SO_PEEK_OFF.Name:
		return sock.PutInt(val, t.Opt.PeekOff)
	case sockeye.SO_ERROR.Name:
		if t.Err == 0 && t.conn != nil {
			t.Err = t.conn.TakeSoftErr()
		}
	case sockeye.SO_SNDBUF.Name, sockeye.SO_RCVBUF.Name:
		if t.conn != nil { // which may have tuned them
			o := t.OwnOptions()
			o.Sndbuf, o.Rcvbuf = int(t.cfg.SndBuf), int(t.cfg.RcvBuf)
		}
	}
	return t.getSocket(name, val)
}

// setSocketTCP is its counterpart: the connection learns what concerns it.
func (t *TCP) setSocketTCP(name int, val []byte) error {
	if name == sockeye.SO_PEEK_OFF.Name {
		v, err := sock.Int(val)
		if err == nil {
			t.OwnOptions().PeekOff = v
		}
		return err
	}
	was := t.Opt.Timestamping
	if name == sockeye.SO_TIMESTAMPING.Name {
		v, err := sock.Int(val)
		if state := t.state(); err == nil && v&^was&sockeye.SOF_TIMESTAMPING_OPT_ID != 0 && (state == tcp.Closed || state == tcp.Listen) {
			return syscall.EINVAL // there is no first byte to count from
		}
	}
	if err := t.setSocket(name, val); err != nil {
		return err
	}
	switch name {
	case sockeye.SO_TIMESTAMPING.Name:
		if now := t.Opt.Timestamping; now&^was&sockeye.SOF_TIMESTAMPING_OPT_ID != 0 {
			t.stampKey = uint32(t.conn.Acked())
			if now&sockeye.SOF_TIMESTAMPING_OPT_ID_TCP != 0 {
				t.stampKey = uint32(t.conn.Written())
			}
		}
	case sockeye.SO_SNDBUF.Name, sockeye.SO_SNDBUFFORCE.Name:
		t.cfg.SndBuf = int32(t.Opt.Sndbuf)
		if t.conn != nil {
			t.conn.SetSndBuf(t.Opt.Sndbuf)
			t.WakeAll()
		}
	case sockeye.SO_RCVBUF.Name, sockeye.SO_RCVBUFFORCE.Name:
		t.cfg.RcvBuf = int32(t.Opt.Rcvbuf)
		if t.conn != nil {
			t.conn.SetRcvBuf(t.Opt.Rcvbuf)
		}
	case sockeye.SO_RCVLOWAT.Name:
		t.OwnOptions().Rcvlowat = min(t.Opt.Rcvlowat, t.stack.Sysctl.TCP.RcvBufMax/2)
		t.cfg.RcvLowat = int32(t.Opt.Rcvlowat)
		t.Wake(sockeye.ForRead)
	case sockeye.SO_OOBINLINE.Name:
		t.cfg.OOBInline = t.Opt.OOBInline
	case sockeye.SO_KEEPALIVE.Name:
		on := t.Opt.KeepAlive
		if t.conn == nil {
			t.cfg.KeepAlive = on
		}
		t.onConn(func(c *tcp.Conn, now tcp.Time) { c.SetKeepAlive(now, on) })
	}
	return nil
}
