package sock

import (
	"encoding/binary"
	"math"
	"strings"
	"syscall"
	"time"

	"sockeye"
)

// An option is an option of SOL_SOCKET whose value is an int (sk_setsockopt and
// sk_getsockopt in net/core/sock.c). Without set it is read-only: ENOPROTOOPT.
type option struct {
	get func(s *Socket) int
	set func(s *Socket, v int) error
}

func boolean(field func(*Options) *bool) option {
	return option{
		get: func(s *Socket) int { return b2i(*field(s.Opt)) },
		set: func(s *Socket, v int) error { *field(s.OwnOptions()) = v != 0; return nil },
	}
}

// exclusive is boolean for one of two options that turn each other off.
func exclusive(fields func(*Options) (on, off *bool)) option {
	return option{
		get: func(s *Socket) int {
			on, _ := fields(s.Opt)
			return b2i(*on)
		},
		set: func(s *Socket, v int) error {
			on, off := fields(s.OwnOptions())
			*on = v != 0
			*off = *off && v == 0
			return nil
		},
	}
}

func number(field func(*Options) *int) option {
	return option{
		get: func(s *Socket) int { return *field(s.Opt) },
		set: func(s *Socket, v int) error { *field(s.OwnOptions()) = v; return nil },
	}
}

// guarded is o for the privileged alone; others get the error.
func guarded(err syscall.Errno, o option) option {
	set := o.set
	o.set = func(s *Socket, v int) error {
		if !s.Host.Privileged {
			return err
		}
		return set(s, v)
	}
	return o
}

func readOnly(get func(s *Socket) int) option { return option{get: get} }

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// The floors of the buffers, in Linux's measure that counts the bookkeeping of
// packets too (include/net/sock.h).
const (
	minRcvbuf = 2304
	minSndbuf = 2 * minRcvbuf
)

// doubled is the size of a buffer that was asked for as v (socket(7)).
func doubled(v, ceiling, floor int) int {
	if v < 0 || v > ceiling {
		v = ceiling
	}
	return max(2*min(v, math.MaxInt32/2), floor)
}

var socketOptions map[int]option

func init() {
	socketOptions = map[int]option{
		sockeye.SO_DEBUG.Name:        guarded(syscall.EACCES, boolean(func(o *Options) *bool { return &o.Debug })),
		sockeye.SO_REUSEADDR.Name:    boolean(func(o *Options) *bool { return &o.ReuseAddr }),
		sockeye.SO_TYPE.Name:         readOnly(func(s *Socket) int { return int(s.Type) }),
		sockeye.SO_DOMAIN.Name:       readOnly(func(s *Socket) int { return int(s.Family) }),
		sockeye.SO_PROTOCOL.Name:     readOnly(func(s *Socket) int { return int(s.Proto) }),
		sockeye.SO_ERROR.Name:        readOnly(takeErrno),
		sockeye.SO_SNDLOWAT.Name:     readOnly(func(*Socket) int { return 1 }),
		sockeye.SO_DONTROUTE.Name:    boolean(func(o *Options) *bool { return &o.DontRoute }),
		sockeye.SO_BROADCAST.Name:    boolean(func(o *Options) *bool { return &o.Broadcast }),
		sockeye.SO_KEEPALIVE.Name:    boolean(func(o *Options) *bool { return &o.KeepAlive }),
		sockeye.SO_OOBINLINE.Name:    boolean(func(o *Options) *bool { return &o.OOBInline }),
		sockeye.SO_NO_CHECK.Name:     boolean(func(o *Options) *bool { return &o.NoCheck }),
		sockeye.SO_TIMESTAMP.Name:    exclusive(func(o *Options) (on, off *bool) { return &o.Timestamp, &o.TimestampNS }),
		sockeye.SO_TIMESTAMPNS.Name:  exclusive(func(o *Options) (on, off *bool) { return &o.TimestampNS, &o.Timestamp }),
		sockeye.SO_PASSSEC.Name:      boolean(func(o *Options) *bool { return &o.PassSec }),
		sockeye.SO_RXQ_OVFL.Name:     boolean(func(o *Options) *bool { return &o.RxqOvfl }),
		sockeye.SO_MARK.Name:         guarded(syscall.EPERM, number(func(o *Options) *int { return &o.Mark })),
		sockeye.SO_BUSY_POLL.Name:    number(func(o *Options) *int { return &o.BusyPoll }),
		sockeye.SO_INCOMING_CPU.Name: number(func(o *Options) *int { return &o.IncomingCPU }),
		sockeye.SO_REUSEPORT.Name:    boolean(func(o *Options) *bool { return &o.ReusePort }),
		sockeye.SO_ZEROCOPY.Name: {
			get: func(s *Socket) int { return b2i(s.Opt.ZeroCopy) },
			set: func(s *Socket, v int) error {
				switch {
				case s.Proto != sockeye.IPPROTO_TCP && s.Proto != sockeye.IPPROTO_UDP:
					return syscall.EOPNOTSUPP
				case v != 0 && v != 1:
					return syscall.EINVAL
				}
				s.OwnOptions().ZeroCopy = v != 0
				return nil
			},
		},
		sockeye.SO_TIMESTAMPING.Name: {
			get: func(s *Socket) int { return s.Opt.Timestamping },
			set: func(s *Socket, v int) error {
				switch {
				case v&^timestampingMask != 0,
					v&sockeye.SOF_TIMESTAMPING_OPT_ID_TCP != 0 && v&sockeye.SOF_TIMESTAMPING_OPT_ID == 0,
					v&timestampingOptStats != 0 && v&sockeye.SOF_TIMESTAMPING_OPT_TSONLY == 0:
					return syscall.EINVAL
				case v&timestampingBindPHC != 0: // which takes another structure
					return syscall.EOPNOTSUPP
				}
				s.OwnOptions().Timestamping = v
				return nil
			},
		},
		sockeye.SO_BINDTOIFINDEX.Name: {
			get: func(s *Socket) int { return s.Opt.BindToIfindex },
			set: func(s *Socket, v int) error {
				if v < 0 {
					return syscall.EINVAL
				}
				return s.bindToIface(v)
			},
		},
		sockeye.SO_SNDBUF.Name: {
			get: func(s *Socket) int { return s.Opt.Sndbuf },
			set: func(s *Socket, v int) error {
				s.OwnOptions().Sndbuf = doubled(v, s.Host.Sysctl.WmemMax, minSndbuf)
				s.Wake(sockeye.ForWrite)
				return nil
			},
		},
		sockeye.SO_RCVBUF.Name: {
			get: func(s *Socket) int { return s.Opt.Rcvbuf },
			set: func(s *Socket, v int) error {
				s.OwnOptions().Rcvbuf = doubled(v, s.Host.Sysctl.RmemMax, minRcvbuf)
				return nil
			},
		},
		sockeye.SO_SNDBUFFORCE.Name: guarded(syscall.EPERM, option{set: func(s *Socket, v int) error {
			s.OwnOptions().Sndbuf = doubled(max(v, 0), math.MaxInt32, minSndbuf)
			s.Wake(sockeye.ForWrite)
			return nil
		}}),
		sockeye.SO_RCVBUFFORCE.Name: guarded(syscall.EPERM, option{set: func(s *Socket, v int) error {
			s.OwnOptions().Rcvbuf = doubled(max(v, 0), math.MaxInt32, minRcvbuf)
			return nil
		}}),
		sockeye.SO_RCVLOWAT.Name: {
			get: func(s *Socket) int { return s.Opt.Rcvlowat },
			set: func(s *Socket, v int) error {
				if v < 0 {
					v = math.MaxInt32
				}
				s.OwnOptions().Rcvlowat = max(v, 1)
				return nil
			},
		},
		sockeye.SO_PRIORITY.Name: {
			get: func(s *Socket) int { return s.Opt.Priority },
			set: func(s *Socket, v int) error {
				if (v < 0 || v > 6) && !s.Host.Privileged {
					return syscall.EPERM
				}
				s.OwnOptions().Priority = v
				return nil
			},
		},
	}
}

// Flags of SO_TIMESTAMPING (linux/net_tstamp.h).
const (
	timestampingMask     = 1<<19 - 1
	timestampingOptStats = 1 << 12
	timestampingBindPHC  = 1 << 15
)

// bindToIface needs privilege to change what is bound already.
func (s *Socket) bindToIface(index int) error {
	if s.Opt.BindToIfindex != 0 && !s.Host.Privileged {
		return syscall.EPERM
	}
	s.OwnOptions().BindToIfindex = index
	return nil
}

const maxIfaceName = 16 // IFNAMSIZ

// bindToDevice is sock_setbindtodevice, and boundDevice sock_getbindtodevice.
func (s *Socket) bindToDevice(val []byte) error {
	name, _, _ := strings.Cut(string(val[:min(len(val), maxIfaceName-1)]), "\x00")
	index := 0
	if name != "" {
		if index = s.Host.IfaceIndex(name); index == 0 {
			return syscall.ENODEV
		}
	}
	return s.bindToIface(index)
}

func (s *Socket) boundDevice(val []byte) (int, error) {
	if s.Opt.BindToIfindex == 0 {
		return 0, nil
	}
	if len(val) < maxIfaceName {
		return 0, syscall.EINVAL
	}
	name := s.Host.IfaceName(s.Opt.BindToIfindex)
	if name == "" {
		return 0, syscall.ENODEV
	}
	return copy(val, name+"\x00"), nil
}

func takeErrno(s *Socket) int {
	err := s.Err
	s.Err = 0
	return int(err)
}

// GetSockopt is getsockopt(2) of SOL_SOCKET. The host is locked.
func (s *Socket) GetSockopt(name int, val []byte) (int, error) {
	switch name {
	case sockeye.SO_BINDTODEVICE.Name:
		return s.boundDevice(val)
	case sockeye.SO_PEERCRED.Name:
		return copy(val, EncodeCredentials(sockeye.Credentials{UID: ^uint32(0), GID: ^uint32(0)})), nil
	case sockeye.SO_PEERGROUPS.Name:
		return 0, syscall.ENODATA
	case sockeye.SO_LINGER.Name:
		return copy(val, encodeInts(b2i(s.Opt.Linger.On), s.Opt.Linger.Seconds)), nil
	case sockeye.SO_RCVTIMEO.Name:
		return copy(val, encodeTimeval(s.Opt.Rcvtimeo)), nil
	case sockeye.SO_SNDTIMEO.Name:
		return copy(val, encodeTimeval(s.Opt.Sndtimeo)), nil
	case sockeye.SO_TIMESTAMPING.Name: // C's struct so_timestamping
		return copy(val, encodeInts(s.Opt.Timestamping, 0)), nil
	}
	o, ok := socketOptions[name]
	if !ok || o.get == nil {
		return 0, syscall.ENOPROTOOPT
	}
	return copy(val, encodeInts(o.get(s))), nil
}

// SetSockopt is setsockopt(2) of SOL_SOCKET. The host is locked.
func (s *Socket) SetSockopt(name int, val []byte) error {
	if name == sockeye.SO_BINDTODEVICE.Name {
		return s.bindToDevice(val)
	}
	if len(val) < 4 {
		return syscall.EINVAL
	}
	v := decodeInt(val)
	switch name {
	case sockeye.SO_LINGER.Name:
		if len(val) < 8 {
			return syscall.EINVAL
		}
		seconds := decodeInt(val[4:])
		if seconds < 0 { // longer than jiffies can count: MAX_SCHEDULE_TIMEOUT
			forever := uint64(math.MaxInt64 / hz)
			seconds = int(int32(forever))
		}
		s.OwnOptions().Linger = sockeye.Linger{On: v != 0, Seconds: seconds}
		return nil
	case sockeye.SO_RCVTIMEO.Name:
		return setTimeval(&s.OwnOptions().Rcvtimeo, val)
	case sockeye.SO_SNDTIMEO.Name:
		return setTimeval(&s.OwnOptions().Sndtimeo, val)
	}
	o, ok := socketOptions[name]
	if !ok || o.set == nil {
		return syscall.ENOPROTOOPT
	}
	return o.set(s, v)
}

func encodeInts(vs ...int) (b []byte) {
	for _, v := range vs {
		b = binary.NativeEndian.AppendUint32(b, uint32(v))
	}
	return b
}

func decodeInt(b []byte) int { return int(int32(binary.NativeEndian.Uint32(b))) }

func encodeTimeval(d time.Duration) []byte {
	return encodeWords(int64(d/time.Second), int64(d%time.Second/time.Microsecond))
}

func encodeWords(vs ...int64) (b []byte) {
	for _, v := range vs {
		b = binary.NativeEndian.AppendUint64(b, uint64(v))
	}
	return b
}

// hz is in how many jiffies Linux counts a second.
const hz = 250

// setTimeval is sock_set_timeout: a fraction that is a second or more is EDOM, a
// negative time is none. Times are rounded up to jiffies.
func setTimeval(d *time.Duration, val []byte) error {
	if len(val) < 16 {
		return syscall.EINVAL
	}
	sec, usec := int64(binary.NativeEndian.Uint64(val)), int64(binary.NativeEndian.Uint64(val[8:]))
	if usec < 0 || usec >= 1e6 {
		return syscall.EDOM
	}
	usec = (usec + 1e6/hz - 1) / (1e6 / hz) * (1e6 / hz)
	*d = 0
	if sec >= 0 && sec < math.MaxInt64/int64(time.Second)-1 {
		*d = time.Duration(sec)*time.Second + time.Duration(usec)*time.Microsecond
	}
	return nil
}

// Int is the value of an option that is an int.
func Int(val []byte) (int, error) {
	if len(val) < 4 {
		return 0, syscall.EINVAL
	}
	return decodeInt(val), nil
}

// PutInt answers with an int, cut to the room that there is.
func PutInt(val []byte, v int) (int, error) { return copy(val, encodeInts(v)), nil }

// PutBool answers with an int that is a boolean.
func PutBool(val []byte, v bool) (int, error) { return PutInt(val, b2i(v)) }

// EncodeCredentials is C's struct ucred.
func EncodeCredentials(c sockeye.Credentials) []byte {
	return encodeInts(int(c.PID), int(c.UID), int(c.GID))
}
