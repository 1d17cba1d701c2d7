//go:build linux

package kernel_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sockeye"
	"sockeye/kernel"
)

// inNamespace runs f as root of a network namespace of its own, in a process of
// its own: the test binary once more.
func inNamespace(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	const inside = "SOCKEYE_TEST_NAMESPACE"
	if os.Getenv(inside) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		if os.Geteuid() != 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWNET | syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
			}
		}
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
			t.Fatalf("in a namespace: %v\n%s", err, out)
		}
		return
	}
	fd := must(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0))(t)
	defer unix.Close(fd)
	lo := must(unix.NewIfreq("lo"))(t)
	lo.SetUint16(unix.IFF_UP)
	check(t, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo))
	f(t)
}

// echoRequest is an ICMP echo request; the checksum is left out.
func echoRequest(typ byte, id, seq uint16, data string) []byte {
	m := []byte{typ, 0, 0, 0}
	m = binary.BigEndian.AppendUint16(m, id)
	m = binary.BigEndian.AppendUint16(m, seq)
	return append(m, data...)
}

// withChecksum fills in the checksum of an ICMP message (RFC 1071).
func withChecksum(m []byte) []byte {
	var sum uint32
	for i := 0; i+1 < len(m); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(m[i:]))
	}
	if len(m)%2 != 0 {
		sum += uint32(m[len(m)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(m[2:], ^uint16(sum))
	return m
}

func TestPingSocketsNeedTheirGroup(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		tests := []struct {
			proto          sockeye.Protocol
			to             sockeye.Sockaddr
			request, reply byte
		}{
			{sockeye.IPPROTO_ICMP, loopback4, 8, 0},
			{sockeye.IPPROTO_ICMPV6, loopback6, 128, 129},
		}
		for _, tt := range tests { // a new namespace gives them to no group
			if _, err := kernel.Host().Socket(tt.to.Family(), sockeye.SOCK_DGRAM, tt.proto); !errors.Is(err, syscall.EACCES) {
				t.Errorf("%v: socket gives %v, want EACCES", tt.proto, err)
			}
		}
		check(t, os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte("0 0"), 0))
		for _, tt := range tests {
			s := open(t, tt.to.Family(), sockeye.SOCK_DGRAM, tt.proto)
			must(s.Sendto(echoRequest(tt.request, 0, 7, "hello"), 0, tt.to))(t) // the kernel sets id and checksum
			buf := make([]byte, 64)
			n, from, err := s.Recvfrom(buf, 0)
			check(t, err)
			id := must(s.Getsockname())(t).Port()
			want := echoRequest(tt.reply, id, 7, "hello")
			clear(buf[2:4]) // the checksum
			if from.Addr() != tt.to.Addr() || !bytes.Equal(buf[:n], want) {
				t.Errorf("%v: got %x from %v, want %x", tt.proto, buf[:n], from, want)
			}
		}
	})
}

func TestRawICMP(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		s := open(t, sockeye.AF_INET, sockeye.SOCK_RAW, sockeye.IPPROTO_ICMP)
		request := withChecksum(echoRequest(8, 0x1234, 1, "odd"))
		must(s.Sendto(request, 0, loopback4))(t)
		buf := make([]byte, 128)
		for _, typ := range []byte{8, 0} { // its own request, and then the answer
			n, from, err := s.Recvfrom(buf, 0)
			check(t, err)
			const header = 20
			want := withChecksum(echoRequest(typ, 0x1234, 1, "odd"))
			if from != loopback4 || buf[0] != 0x45 || !bytes.Equal(buf[header:n], want) {
				t.Errorf("got %x from %v, want an IP header and %x", buf[:n], from, want)
			}
		}
	})
}

func TestRawTakesAnyProtocolNumber(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		r := open(t, sockeye.AF_INET, sockeye.SOCK_RAW, sockeye.IPPROTO_OSPF)
		s := open(t, sockeye.AF_INET, sockeye.SOCK_RAW, sockeye.IPPROTO_OSPF)
		must(s.Sendto([]byte("link state"), 0, loopback4))(t)
		buf := make([]byte, 128)
		n := must(r.Recv(buf, 0))(t)
		if buf[9] != byte(sockeye.IPPROTO_OSPF) || string(buf[20:n]) != "link state" {
			t.Errorf("got %x", buf[:n])
		}
	})
}

func TestHdrinclSendsAWholePacket(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		r, to := udp(t)
		s := open(t, sockeye.AF_INET, sockeye.SOCK_RAW, sockeye.IPPROTO_RAW)
		if !must(sockeye.IP_HDRINCL.Get(s))(t) {
			t.Error("IPPROTO_RAW does not imply IP_HDRINCL (raw(7))")
		}
		data := "from a header of our own"
		packet := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 9, byte(sockeye.IPPROTO_UDP), 0, 0, 127, 9, 9, 9, 127, 0, 0, 1}
		packet = binary.BigEndian.AppendUint16(packet, 999)
		packet = binary.BigEndian.AppendUint16(packet, to.Port())
		packet = binary.BigEndian.AppendUint16(packet, uint16(8+len(data)))
		packet = append(packet, 0, 0) // no checksum
		packet = append(packet, data...)
		must(s.Sendto(packet, 0, loopback4))(t) // the kernel fills in length, id and checksum of the IP header
		buf := make([]byte, 64)
		n, from, err := r.Recvfrom(buf, 0)
		check(t, err)
		if string(buf[:n]) != data || from != sockeye.SockaddrInet4([4]byte{127, 9, 9, 9}, 999) {
			t.Errorf("got %q from %v", buf[:n], from)
		}
	})
}
