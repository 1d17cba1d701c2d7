//go:build linux

package kernel_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"sockeye"
	"sockeye/kernel"
)

// room gives room for n descriptors and credentials.
func room(n int) []byte {
	return make([]byte, sockeye.ControlSpace(4*n)+sockeye.ControlSpace(12))
}

func TestRightsPassSocketsAndFiles(t *testing.T) {
	for _, typ := range []sockeye.Type{sockeye.SOCK_STREAM, sockeye.SOCK_DGRAM, sockeye.SOCK_SEQPACKET} {
		t.Run(typ.String(), func(t *testing.T) {
			leavesNothing(t, func(t *testing.T) {
				a, b := unixPair(t, typ)
				check(t, sockeye.SO_PASSCRED.Set(b, true))
				s, peer := streamPair(t)
				path := filepath.Join(t.TempDir(), "file")
				check(t, os.WriteFile(path, []byte("contents"), 0o600))
				f := must(os.Open(path))(t)
				me := sockeye.Credentials{PID: int32(os.Getpid()), UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
				out := sockeye.Message{
					Buffers: [][]byte{[]byte("two")},
					Control: sockeye.AppendCredentials(nil, me),
					Rights:  []sockeye.Descriptor{s, f},
				}
				must(a.Sendmsg(&out, 0))(t)
				check(t, s.Close()) // what is under way stays open
				check(t, f.Close())

				in := sockeye.Message{Buffers: [][]byte{make([]byte, 8)}, Control: room(2)}
				must(b.Recvmsg(&in, 0))(t)
				if string(in.Buffers[0][:in.N]) != "two" || len(in.Rights) != 2 || in.Flags&sockeye.MSG_CTRUNC != 0 {
					t.Fatalf("received %q, %d descriptors, flags %v", in.Buffers[0][:in.N], len(in.Rights), in.Flags)
				}
				found := false
				for c := range in.ControlMessages() {
					if got, ok := c.Credentials(); ok {
						found = got == me
					} else {
						t.Errorf("ancillary data %d, %d beside the credentials", c.Level, c.Type)
					}
				}
				if !found {
					t.Error("no credentials, or others than were sent")
				}
				got := in.Rights[0].(*sockeye.Socket)
				file := in.Rights[1].(*os.File)
				must(got.Send([]byte("through the passed socket"), 0))(t)
				buf := make([]byte, 64)
				if n := must(peer.Recv(buf, 0))(t); string(buf[:n]) != "through the passed socket" {
					t.Errorf("the peer received %q", buf[:n])
				}
				if b := must(io.ReadAll(file))(t); string(b) != "contents" {
					t.Errorf("the file holds %q", b)
				}
				check(t, got.Close())
				check(t, file.Close())
			})
		})
	}
}

func TestRightsWithTooLittleRoomAreCut(t *testing.T) {
	for _, tt := range []struct {
		name    string
		control []byte
		want    int
	}{
		{"no room", nil, 0},
		{"room for one of three", make([]byte, sockeye.ControlSpace(4)-4), 1},
		{"room for all", make([]byte, sockeye.ControlSpace(12)), 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leavesNothing(t, func(t *testing.T) {
				a, b := unixPair(t, sockeye.SOCK_SEQPACKET)
				out := sockeye.Message{Buffers: [][]byte{{1}}, Rights: []sockeye.Descriptor{a, b, a}}
				must(a.Sendmsg(&out, 0))(t)
				in := sockeye.Message{Buffers: [][]byte{make([]byte, 8)}, Control: tt.control}
				must(b.Recvmsg(&in, 0))(t)
				if cut := in.Flags&sockeye.MSG_CTRUNC != 0; len(in.Rights) != tt.want || cut != (tt.want < 3) {
					t.Errorf("%d descriptors, flags %v", len(in.Rights), in.Flags)
				}
				for _, d := range in.Rights {
					check(t, d.Close())
				}
			})
		})
	}
}

func TestRightsInABatch(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		a, b := unixPair(t, sockeye.SOCK_DGRAM)
		out, in := make([]sockeye.Message, 5), make([]sockeye.Message, 5)
		for i := range out {
			out[i] = sockeye.Message{Buffers: [][]byte{{byte(i)}}, Rights: []sockeye.Descriptor{a, b}[:i%3]}
			in[i] = sockeye.Message{Buffers: [][]byte{make([]byte, 1)}, Control: room(2)}
		}
		must(a.Sendmmsg(out, 0))(t)
		must(b.Recvmmsg(in, 0))(t)
		for i := range in {
			if len(in[i].Rights) != i%3 {
				t.Errorf("message %d came with %d descriptors, want %d", i, len(in[i].Rights), i%3)
			}
			for _, d := range in[i].Rights {
				check(t, d.(*sockeye.Socket).Close())
			}
		}
	})
}

// TestAStreamPausesWhereRightsCame: descriptors belong to the bytes that they
// were sent with, also for a receive that gathers (unix(7)).
func TestAStreamPausesWhereRightsCame(t *testing.T) {
	for _, flags := range []sockeye.MsgFlags{sockeye.MSG_WAITALL, sockeye.MSG_WAITALL | sockeye.MSG_PEEK} {
		t.Run(flags.String(), func(t *testing.T) {
			leavesNothing(t, func(t *testing.T) {
				a, b := unixPair(t, sockeye.SOCK_STREAM)
				must(a.Sendmsg(&sockeye.Message{Buffers: [][]byte{[]byte("with")}, Rights: []sockeye.Descriptor{a}}, 0))(t)
				must(a.Sendmsg(&sockeye.Message{Buffers: [][]byte{[]byte("another")}, Rights: []sockeye.Descriptor{b}}, 0))(t)
				in := sockeye.Message{Buffers: [][]byte{make([]byte, 100)}, Control: room(4)}
				must(b.Recvmsg(&in, flags))(t)
				if string(in.Buffers[0][:in.N]) != "with" || len(in.Rights) != 1 {
					t.Errorf("received %q with %d descriptors", in.Buffers[0][:in.N], len(in.Rights))
				}
				for _, d := range in.Rights {
					check(t, d.(*sockeye.Socket).Close())
				}
			})
		})
	}
}

// foreign is a descriptor that the kernel does not know.
type foreign struct{ io.Closer }

func TestRightsThatCanNotBePassed(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		a, b := unixPair(t, sockeye.SOCK_DGRAM)
		closed, _ := unixPair(t, sockeye.SOCK_DGRAM)
		check(t, closed.Close())
		gone := must(os.Open("/dev/null"))(t)
		check(t, gone.Close())
		for _, tt := range []struct {
			name string
			d    sockeye.Descriptor
			want error
		}{
			{"a closed socket", closed, syscall.EBADF},
			{"a closed file", gone, syscall.EBADF},
			{"what is no descriptor", foreign{io.NopCloser(nil)}, syscall.EINVAL},
			{"nothing", nil, syscall.EINVAL},
		} {
			m := sockeye.Message{Buffers: [][]byte{{1}}, Rights: []sockeye.Descriptor{b, tt.d}}
			if _, err := a.Sendmsg(&m, 0); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
		}
		if _, err := b.Recv(make([]byte, 1), sockeye.MSG_DONTWAIT); !errors.Is(err, syscall.EAGAIN) {
			t.Errorf("something was sent all the same: %v", err)
		}
	})
}

func TestAnUnreadDescriptorClosesWithItsSocket(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		a, b := unixPair(t, sockeye.SOCK_STREAM)
		s, peer := streamPair(t)
		must(a.Sendmsg(&sockeye.Message{Buffers: [][]byte{{1}}, Rights: []sockeye.Descriptor{s}}, 0))(t)
		check(t, s.Close())
		check(t, b.Close()) // with the message in its queue
		if n, err := peer.Recv(make([]byte, 1), 0); n != 0 || err != nil {
			t.Errorf("recv gives %d, %v, want the end of the stream", n, err)
		}
	})
}

func TestFromFile(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		check(t, err)
		f, g := os.NewFile(uintptr(fds[0]), "inherited"), os.NewFile(uintptr(fds[1]), "its peer")
		defer g.Close()
		check(t, syscall.SetsockoptTimeval(fds[0], syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Usec: 1000}))
		s := must(kernel.FromFile(f))(t)
		defer s.Close()
		check(t, f.Close()) // the socket has a descriptor of its own
		if _, err := s.Recv(make([]byte, 1), 0); !errors.Is(err, syscall.EAGAIN) {
			t.Errorf("recv: %v, want EAGAIN after the SO_RCVTIMEO that it came with", err)
		}
		must(g.Write([]byte("hello")))(t)
		buf := make([]byte, 8)
		if n := must(s.Read(buf))(t); string(buf[:n]) != "hello" {
			t.Errorf("read %q", buf[:n])
		}
		if family := must(sockeye.SO_DOMAIN.Get(s))(t); family != sockeye.AF_UNIX {
			t.Errorf("family %v", family)
		}

		null := must(os.Open("/dev/null"))(t)
		defer null.Close()
		if _, err := kernel.FromFile(null); !errors.Is(err, syscall.ENOTSOCK) {
			t.Errorf("of a file: %v, want ENOTSOCK", err)
		}
		check(t, null.Close())
		if _, err := kernel.FromFile(null); !errors.Is(err, syscall.EBADF) {
			t.Errorf("of a closed file: %v, want EBADF", err)
		}
	})
}
