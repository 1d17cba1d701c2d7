package sockeye_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sockeye"
)

// native16 is the family as sockaddr begins with it.
func native16(f sockeye.Family) []byte { return binary.NativeEndian.AppendUint16(nil, uint16(f)) }

func TestSockaddrsHaveTheirCLayout(t *testing.T) {
	ip6 := netip.MustParseAddr("2001:db8::1").As16()
	for _, tt := range []struct {
		name   string
		sa     sockeye.Sockaddr
		bytes  []byte
		string string
	}{
		{"none", sockeye.Sockaddr{}, nil, "-"},
		{"sockaddr_in", sockeye.SockaddrInet4([4]byte{192, 0, 2, 1}, 80),
			slices.Concat(native16(sockeye.AF_INET), []byte{0, 80, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0}), "192.0.2.1:80"},
		{"sockaddr_in6", sockeye.SockaddrInet6(ip6, 0x1234, 0xabcde, 3),
			slices.Concat(native16(sockeye.AF_INET6), []byte{0x12, 0x34, 0, 0xa, 0xbc, 0xde}, ip6[:],
				binary.NativeEndian.AppendUint32(nil, 3)), "[2001:db8::1%3]:4660"},
		{"a path", sockeye.SockaddrUnix("/run/x"), slices.Concat(native16(sockeye.AF_UNIX), []byte("/run/x\x00")), "/run/x"},
		{"a path that fills sun_path", sockeye.SockaddrUnix(strings.Repeat("p", 108)),
			slices.Concat(native16(sockeye.AF_UNIX), []byte(strings.Repeat("p", 108))), strings.Repeat("p", 108)},
		{"an abstract name", sockeye.SockaddrAbstract("x\x00y"), slices.Concat(native16(sockeye.AF_UNIX), []byte("\x00x\x00y")), "@x\x00y"},
		{"unnamed", sockeye.SockaddrUnix(""), native16(sockeye.AF_UNIX), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.sa.AppendBytes(nil); !bytes.Equal(got, tt.bytes) {
				t.Errorf("bytes % x, want % x", got, tt.bytes)
			}
			if got := tt.sa.AppendBytes([]byte("before")); !bytes.Equal(got, append([]byte("before"), tt.bytes...)) {
				t.Errorf("appended: % x", got)
			}
			if got := sockeye.SockaddrBytes(tt.bytes); got != tt.sa {
				t.Errorf("read back: %v, want %v", got, tt.sa)
			}
			if got := tt.sa.String(); got != tt.string {
				t.Errorf("String %q, want %q", got, tt.string)
			}
		})
	}
}

func TestMalformedSockaddrsKeepTheirBytes(t *testing.T) {
	for _, b := range [][]byte{
		{7}, {0, 0}, {0, 0, 9}, {0, 0, 9, 9, 9},
		slices.Concat(native16(sockeye.AF_INET), []byte{0, 80}),
		slices.Concat(native16(sockeye.AF_INET6), make([]byte, 22)),
		slices.Concat(native16(sockeye.AF_IPX), []byte{1, 2, 3}),
		slices.Concat(native16(sockeye.AF_UNIX), make([]byte, 200)),
	} {
		sa := sockeye.SockaddrBytes(b)
		if got := sa.AppendBytes(nil); !bytes.Equal(got, b) {
			t.Errorf("% x became % x", b, got)
		}
		if sa.IsZero() || sa.Addr().IsValid() || sa.Path() != "" {
			t.Errorf("% x was taken for %v", b, sa)
		}
		if want := b[min(2, len(b)):]; !bytes.Equal(sa.Data(), want) {
			t.Errorf("Data of % x is % x", b, sa.Data())
		}
	}
}

func TestSockaddrsTellTheirParts(t *testing.T) {
	sa := sockeye.SockaddrInet6(netip.MustParseAddr("fe80::1").As16(), 443, 0x12345, 2)
	if sa.Family() != sockeye.AF_INET6 || sa.Port() != 443 || sa.Flowinfo() != 0x12345 || sa.ScopeID() != 2 {
		t.Errorf("%v: family %v, port %d, flowinfo %#x, scope %d", sa, sa.Family(), sa.Port(), sa.Flowinfo(), sa.ScopeID())
	}
	if sa.AddrPort() != netip.MustParseAddrPort("[fe80::1%2]:443") {
		t.Errorf("AddrPort %v", sa.AddrPort())
	}
	if other := sa.WithPort(80); other.Port() != 80 || other.Addr() != sa.Addr() || sa.Port() != 443 {
		t.Errorf("WithPort: %v", other)
	}
	for _, s := range []string{"192.0.2.1:80", "[2001:db8::1]:80", "[fe80::1%9]:80", "[::ffff:192.0.2.1]:80", "0.0.0.0:0"} {
		ap := netip.MustParseAddrPort(s)
		if got := sockeye.SockaddrInet(ap).AddrPort(); got != ap {
			t.Errorf("%v became %v", ap, got)
		}
	}
	if !sockeye.SockaddrInet(netip.AddrPort{}).IsZero() {
		t.Error("no address is not the zero Sockaddr")
	}
	if a := sockeye.SockaddrAbstract("x"); a.Path() != "\x00x" {
		t.Errorf("Path of an abstract name: %q", a.Path())
	}
}

// Whatever bytes a system gives, an address can be made of them, asked all, and
// written as bytes that mean the same.
func FuzzSockaddrBytes(f *testing.F) {
	for _, sa := range []sockeye.Sockaddr{
		sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 80), sockeye.SockaddrInet6([16]byte{15: 1}, 80, 1, 2),
		sockeye.SockaddrUnix("/x"), sockeye.SockaddrAbstract("x"), sockeye.SockaddrUnix(""),
	} {
		f.Add(sa.AppendBytes(nil))
	}
	f.Add([]byte{})
	f.Add([]byte{0, 0})
	f.Add([]byte{1, 0, 'x', 0, 'y'})
	f.Fuzz(func(t *testing.T, b []byte) {
		sa := sockeye.SockaddrBytes(b)
		again := sockeye.SockaddrBytes(sa.AppendBytes(nil))
		if again != sa {
			t.Errorf("% x is %#v, and then %#v", b, sa, again)
		}
		if sa.String() != again.String() || sa.Addr() != again.Addr() || sa.Path() != again.Path() {
			t.Error("the same address tells other parts")
		}
		if sa.IsZero() != (len(b) == 0) {
			t.Errorf("% x: IsZero is %v", b, sa.IsZero())
		}
		if len(b) >= 2 && sa.Family() != sockeye.Family(binary.NativeEndian.Uint16(b)) {
			t.Errorf("% x is of %v", b, sa.Family())
		}
	})
}
