//go:build linux

package sockeye_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"sockeye"
)

func controls(b []byte) []sockeye.ControlMessage { return slices.Collect(sockeye.ControlMessages(b)) }

func TestControlMessagesComeBackInOrder(t *testing.T) {
	source4, source6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	me := sockeye.Credentials{PID: 7, UID: 8, GID: 9}
	b := sockeye.AppendControl(nil, 1000, -3, []byte("odd"))
	b = sockeye.AppendInt(b, sockeye.SOL_IP, sockeye.IP_TTL.Name, -64)
	b = sockeye.AppendSegmentSize(b, 1400)
	mapped := netip.AddrFrom16(source4.As16()) // as sockets of both families give addresses
	b = sockeye.AppendPktinfo4(b, 3, mapped)
	b = sockeye.AppendPktinfo6(b, 4, source6)
	b = sockeye.AppendCredentials(b, me)
	b = sockeye.AppendControl(b, 1, 2, nil)

	ms := controls(b)
	if len(ms) != 7 {
		t.Fatalf("%d messages", len(ms))
	}
	if m := ms[0]; m.Level != 1000 || m.Type != -3 || string(m.Data) != "odd" {
		t.Errorf("got %+v", m)
	}
	if v, ok := ms[1].Int(); v != -64 || !ok {
		t.Errorf("int: %d, %v", v, ok)
	}
	if v, ok := ms[2].Int(); v != 1400 || !ok {
		t.Errorf("segment size: %d, %v", v, ok)
	}
	if p, ok := ms[3].Pktinfo(); !ok || p.Ifindex != 3 || p.Local != source4 {
		t.Errorf("IP_PKTINFO: %+v, %v", p, ok)
	}
	if p, ok := ms[4].Pktinfo(); !ok || p.Ifindex != 4 || p.Dst != source6 {
		t.Errorf("IPV6_PKTINFO: %+v, %v", p, ok)
	}
	if c, ok := ms[5].Credentials(); !ok || c != me {
		t.Errorf("credentials: %v, %v", c, ok)
	}
	if len(ms[6].Data) != 0 {
		t.Errorf("an empty message has data: %v", ms[6].Data)
	}
	// Each says no to what it is not.
	for i, m := range ms {
		_, pktinfo := m.Pktinfo()
		_, credentials := m.Credentials()
		_, timestamp := m.Timestamp()
		_, extended := m.ExtendedError()
		if pktinfo != (i == 3 || i == 4) || credentials != (i == 5) || timestamp || extended {
			t.Errorf("message %d is taken for another: %v %v %v %v", i, pktinfo, credentials, timestamp, extended)
		}
	}
	for range sockeye.ControlMessages(b) {
		break // a loop may end early
	}
}

func TestControlSpaceIsWhatAMessageTakes(t *testing.T) {
	for n := range 40 {
		if got := len(sockeye.AppendControl(nil, 1, 1, make([]byte, n))); got != sockeye.ControlSpace(n) {
			t.Errorf("%d bytes take %d, ControlSpace says %d", n, got, sockeye.ControlSpace(n))
		}
		if got, want := sockeye.ControlSpace(n), syscall.CmsgSpace(n); got != want {
			t.Errorf("ControlSpace(%d) is %d, CMSG_SPACE %d", n, got, want)
		}
	}
}

// What this package appends, package syscall reads, and the other way round.
func TestControlMessagesAreTheSystems(t *testing.T) {
	b := sockeye.AppendControl(nil, 5, 6, []byte("one"))
	b = sockeye.AppendControl(b, 7, 8, []byte("second"))
	theirs := must(syscall.ParseSocketControlMessage(b))(t)
	if len(theirs) != 2 || theirs[1].Header.Level != 7 || theirs[1].Header.Type != 8 || string(theirs[1].Data) != "second" {
		t.Errorf("package syscall reads %+v", theirs)
	}
	ours := controls(syscall.UnixRights(3, 4))
	if len(ours) != 1 || ours[0].Level != sockeye.SOL_SOCKET || ours[0].Type != sockeye.SCM_RIGHTS || len(ours[0].Data) != 8 {
		t.Errorf("UnixRights are %+v", ours)
	}
}

func TestTimestampsAreRead(t *testing.T) {
	at := time.Unix(1700000000, 123456000)
	data := func(v any) []byte {
		switch v := v.(type) {
		case syscall.Timeval:
			return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(&v)), unsafe.Sizeof(v))...)
		case syscall.Timespec:
			return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(&v)), unsafe.Sizeof(v))...)
		}
		panic(v)
	}
	for typ, d := range map[int][]byte{
		sockeye.SCM_TIMESTAMP:   data(syscall.NsecToTimeval(at.UnixNano())),
		sockeye.SCM_TIMESTAMPNS: data(syscall.NsecToTimespec(at.UnixNano())),
	} {
		m := sockeye.ControlMessage{Level: sockeye.SOL_SOCKET, Type: typ, Data: d}
		if got, ok := m.Timestamp(); !ok || !got.Equal(at) {
			t.Errorf("type %d: %v, %v", typ, got, ok)
		}
		m.Data = d[:len(d)-1]
		if _, ok := m.Timestamp(); ok {
			t.Errorf("type %d: a short timestamp was read", typ)
		}
	}
}

func TestExtendedErrorsAreRead(t *testing.T) {
	offender := sockeye.SockaddrInet4([4]byte{192, 0, 2, 7}, 0)
	offender6 := sockeye.SockaddrInet6([16]byte{15: 1}, 0, 0, 0)
	head := func(errno syscall.Errno, origin sockeye.ErrorOrigin) []byte {
		b := binary.NativeEndian.AppendUint32(nil, uint32(errno))
		b = append(b, byte(origin), 3, 4, 0)
		b = binary.NativeEndian.AppendUint32(b, 1400)
		return binary.NativeEndian.AppendUint32(b, 9)
	}
	for _, tt := range []struct {
		name string
		m    sockeye.ControlMessage
		want sockeye.ExtendedError
	}{
		{"ICMP", sockeye.ControlMessage{Level: sockeye.SOL_IP, Type: sockeye.IP_RECVERR.Name,
			Data: offender.AppendBytes(head(syscall.EMSGSIZE, sockeye.SO_EE_ORIGIN_ICMP))},
			sockeye.ExtendedError{Errno: syscall.EMSGSIZE, Origin: sockeye.SO_EE_ORIGIN_ICMP, Type: 3, Code: 4, Info: 1400, Data: 9, Offender: offender}},
		{"ICMPv6", sockeye.ControlMessage{Level: sockeye.SOL_IPV6, Type: sockeye.IPV6_RECVERR.Name,
			Data: offender6.AppendBytes(head(syscall.ECONNREFUSED, sockeye.SO_EE_ORIGIN_ICMP6))},
			sockeye.ExtendedError{Errno: syscall.ECONNREFUSED, Origin: sockeye.SO_EE_ORIGIN_ICMP6, Type: 3, Code: 4, Info: 1400, Data: 9, Offender: offender6}},
		{"local, from nobody", sockeye.ControlMessage{Level: sockeye.SOL_IP, Type: sockeye.IP_RECVERR.Name,
			Data: append(head(syscall.EMSGSIZE, sockeye.SO_EE_ORIGIN_LOCAL), make([]byte, 16)...)},
			sockeye.ExtendedError{Errno: syscall.EMSGSIZE, Origin: sockeye.SO_EE_ORIGIN_LOCAL, Type: 3, Code: 4, Info: 1400, Data: 9}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := tt.m.ExtendedError(); !ok || got != tt.want {
				t.Errorf("got %+v, %v", got, ok)
			}
			tt.m.Data = tt.m.Data[:15]
			if _, ok := tt.m.ExtendedError(); ok {
				t.Error("a short one was read")
			}
		})
	}
}

func TestControlMessagesEndAtALie(t *testing.T) {
	good := sockeye.AppendInt(nil, 1, 2, 3)
	lying := func(n uint64) []byte {
		b := sockeye.AppendInt(nil, 4, 5, 6)
		if unsafe.Sizeof(uintptr(0)) == 8 {
			binary.NativeEndian.PutUint64(b, n)
		} else {
			binary.NativeEndian.PutUint32(b, uint32(n))
		}
		return b
	}
	for _, n := range []uint64{0, 1, 15, 25, 1 << 31, 1 << 63, 1<<64 - 1} {
		if ms := controls(slices.Concat(good, lying(n))); len(ms) != 1 || ms[0].Level != 1 {
			t.Errorf("length %d: %+v", n, ms)
		}
	}
	if ms := controls(good[:len(good)-5]); len(ms) != 0 {
		t.Errorf("a message that is cut off was read: %+v", ms)
	}
}

// Ancillary data comes from the system, and from files that are no sockets'
// business: none may panic.
func FuzzControlMessages(f *testing.F) {
	f.Add(sockeye.AppendPktinfo4(sockeye.AppendInt(nil, 0, 2, 64), 1, netip.Addr{}))
	f.Add(sockeye.AppendCredentials(nil, sockeye.Credentials{PID: 1}))
	f.Add(sockeye.AppendControl(nil, sockeye.SOL_IP, sockeye.IP_RECVERR.Name, make([]byte, 32)))
	f.Add(sockeye.AppendControl(nil, sockeye.SOL_SOCKET, sockeye.SCM_TIMESTAMPNS, make([]byte, 16)))
	f.Add(bytes.Repeat([]byte{255}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		was := bytes.Clone(b)
		total := 0
		for m := range sockeye.ControlMessages(b) {
			total += len(m.Data) + 1
			m.Int()
			m.Pktinfo()
			m.Credentials()
			m.Timestamp()
			m.ExtendedError()
			// What was read can be written again.
			again := controls(sockeye.AppendControl(nil, m.Level, m.Type, m.Data))
			if len(again) != 1 || again[0].Level != m.Level || again[0].Type != m.Type || !bytes.Equal(again[0].Data, m.Data) {
				t.Errorf("%+v became %+v", m, again)
			}
		}
		if total > len(b) {
			t.Errorf("%d bytes held messages of %d", len(b), total)
		}
		if !bytes.Equal(b, was) {
			t.Error("reading changed the data")
		}
	})
}
