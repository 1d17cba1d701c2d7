//go:build linux

package sockeye_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// soon calls f while a call of the test waits; a call that does not wait is
// back before.
func soon(t *testing.T, f func()) {
	timer := time.AfterFunc(2*time.Millisecond, f)
	t.Cleanup(func() { timer.Stop() })
}

// await waits until an event holds for a socket.
func await(t *testing.T, s *sockeye.Socket, event sockeye.Events) {
	t.Helper()
	must(s.Host().Poll(t.Context(), []sockeye.PollFd{{Socket: s, Events: event}}, -1))(t)
}

// datagramPair gives two UDP sockets that are connected to each other.
func datagramPair(t *testing.T) (a, b *sockeye.Socket) {
	t.Helper()
	pair := make([]*sockeye.Socket, 2)
	for i := range pair {
		pair[i] = must(kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0))(t)
		t.Cleanup(func() { pair[i].Close() })
		check(t, pair[i].Bind(loopback))
	}
	check(t, pair[0].Connect(must(pair[1].Getsockname())(t)))
	check(t, pair[1].Connect(must(pair[0].Getsockname())(t)))
	return pair[0], pair[1]
}

func buffers(n, size int) []sockeye.Message {
	ms := make([]sockeye.Message, n)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, size)}
	}
	return ms
}

func TestReceivesGatherAsAsked(t *testing.T) {
	recv := func(s *sockeye.Socket, p []byte, flags sockeye.MsgFlags) (int, error) { return s.Recv(p, flags) }
	recvfrom := func(s *sockeye.Socket, p []byte, flags sockeye.MsgFlags) (int, error) {
		n, _, err := s.Recvfrom(p, flags)
		return n, err
	}
	recvmsg := func(s *sockeye.Socket, p []byte, flags sockeye.MsgFlags) (int, error) {
		m := sockeye.Message{Buffers: [][]byte{p[:1], p[1:4], p[4:]}}
		n, err := s.Recvmsg(&m, flags)
		if n != m.N {
			return n, errors.New("N and the result differ")
		}
		return n, err
	}
	for _, call := range []struct {
		name string
		recv func(s *sockeye.Socket, p []byte, flags sockeye.MsgFlags) (int, error)
	}{{"recv", recv}, {"recvfrom", recvfrom}, {"recvmsg", recvmsg}} {
		for _, tt := range []struct {
			name   string
			lowat  int
			flags  sockeye.MsgFlags
			first  string
			second string // sent while the call waits, or after one that does not
			end    bool   // then the sender's end comes
			want   string
			left   string // to be received afterwards
		}{
			{name: "what there is", first: "abc", second: "def", want: "abc", left: "def"},
			{name: "MSG_WAITALL waits for all", flags: sockeye.MSG_WAITALL, first: "abc", second: "defghi", want: "abcdefgh", left: "i"},
			{name: "MSG_WAITALL ends with the stream", flags: sockeye.MSG_WAITALL, first: "abc", second: "d", end: true, want: "abcd"},
			// On TCP fewer than lowat bytes wake nobody, even if some were
			// received before (tcp_data_ready in net/ipv4/tcp_input.c).
			{name: "SO_RCVLOWAT waits for that much", lowat: 5, first: "abc", second: "defgh", want: "abcdefgh"},
			{name: "SO_RCVLOWAT does not wait for more", lowat: 3, first: "abc", second: "def", want: "abc", left: "def"},
			{name: "MSG_PEEK takes nothing", flags: sockeye.MSG_PEEK, first: "abc", second: "def", want: "abc", left: "abcdef"},
			{name: "MSG_PEEK and MSG_WAITALL see all", flags: sockeye.MSG_PEEK | sockeye.MSG_WAITALL, first: "abc", second: "defgh", want: "abcdefgh", left: "abcdefgh"},
			{name: "MSG_PEEK and MSG_WAITALL end with the stream", flags: sockeye.MSG_PEEK | sockeye.MSG_WAITALL, first: "abc", second: "d", end: true, want: "abcd", left: "abcd"},
			{name: "MSG_DONTWAIT does not wait for all", flags: sockeye.MSG_WAITALL | sockeye.MSG_DONTWAIT, first: "abc", second: "defgh", want: "abc", left: "defgh"},
		} {
			t.Run(call.name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				for _, network := range []string{"tcp", "unix"} {
					c, s := connPair(t, network)
					a, b := c.(interface{ Socket() *sockeye.Socket }).Socket(), s.(interface{ Socket() *sockeye.Socket }).Socket()
					must(a.Send([]byte(tt.first), 0))(t)
					must(b.Recv(make([]byte, 1), sockeye.MSG_PEEK))(t)
					if tt.lowat > 0 {
						check(t, sockeye.SO_RCVLOWAT.Set(b, tt.lowat))
					}
					sent := make(chan struct{})
					send := func() {
						a.Send([]byte(tt.second), 0)
						if tt.end {
							a.Shutdown(sockeye.SHUT_WR)
						}
						close(sent)
					}
					waits := tt.want != tt.first
					if waits {
						soon(t, send)
					}
					p := make([]byte, 8)
					n, err := call.recv(b, p, tt.flags)
					if !waits {
						send()
					}
					if string(p[:n]) != tt.want || err != nil {
						t.Errorf("%s: got %q, %v; want %q", network, p[:n], err, tt.want)
					}
					<-sent
					if tt.lowat > 0 {
						check(t, sockeye.SO_RCVLOWAT.Set(b, 1))
					}
					left := make([]byte, len(tt.left))
					if _, err := io.ReadFull(b, left); string(left) != tt.left || err != nil {
						t.Errorf("%s: then %q, %v; want %q", network, left, err, tt.left)
					}
				}
			})
		}
	}
}

func TestBlockingSendsGoOnUntilAllIsTaken(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 1<<19)
	for _, tt := range []struct {
		name string
		send func(s *sockeye.Socket) (int, error)
	}{
		{"send", func(s *sockeye.Socket) (int, error) { return s.Send(data, 0) }},
		{"sendto", func(s *sockeye.Socket) (int, error) { return s.Sendto(data, 0, sockeye.Sockaddr{}) }},
		{"write", func(s *sockeye.Socket) (int, error) { return s.Write(data) }},
		{"sendmsg", func(s *sockeye.Socket) (int, error) {
			return s.Sendmsg(&sockeye.Message{Buffers: [][]byte{data[:7], nil, data[7:100_000], data[100_000:]}}, 0)
		}},
		{"sendmmsg", func(s *sockeye.Socket) (int, error) {
			ms := []sockeye.Message{{Buffers: [][]byte{data[:1<<20]}}, {Buffers: [][]byte{data[1<<20:]}}}
			_, err := s.Sendmmsg(ms, 0)
			return ms[0].N + ms[1].N, err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b := socketPair(t)
			got := make(chan []byte)
			go func() {
				p, err := io.ReadAll(b)
				if err != nil {
					t.Error(err)
				}
				got <- p
			}()
			if n, err := tt.send(a); n != len(data) || err != nil {
				t.Errorf("sent %d of %d, %v", n, len(data), err)
			}
			a.Close()
			if p := <-got; !bytes.Equal(p, data) {
				t.Errorf("%d bytes came, not as they were sent", len(p))
			}
		})
	}
}

func TestNonblockingCallsDoNotWait(t *testing.T) {
	a, b := socketPair(t)
	if a.Nonblock() {
		t.Fatal("a new socket is non-blocking")
	}
	a.SetNonblock(true)
	if !a.Nonblock() {
		t.Fatal("SetNonblock did not hold")
	}
	p := make([]byte, 1)
	for name, call := range map[string]func() error{
		"recv":              func() error { _, err := a.Recv(p, 0); return err },
		"recv, MSG_WAITALL": func() error { _, err := a.Recv(p, sockeye.MSG_WAITALL); return err },
		"recvfrom":          func() error { _, _, err := a.Recvfrom(p, 0); return err },
		"recvmsg":           func() error { _, err := a.Recvmsg(&buffers(1, 1)[0], 0); return err },
		"recvmmsg":          func() error { _, err := a.Recvmmsg(buffers(1, 1), 0); return err },
		"MSG_DONTWAIT":      func() error { _, err := b.Recv(p, sockeye.MSG_DONTWAIT); return err },
		"MSG_ERRQUEUE":      func() error { _, err := b.Recvmsg(&buffers(1, 1)[0], sockeye.MSG_ERRQUEUE); return err },
	} {
		if err := call(); !errors.Is(err, syscall.EAGAIN) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A send takes what fits, and then nothing.
	big := make([]byte, 64<<20)
	n, err := a.Send(big, 0)
	if n == 0 || n == len(big) || err != nil {
		t.Errorf("send took %d of %d, %v", n, len(big), err)
	}
	for n > 0 { // the peer's queue may have taken some meanwhile
		n, err = a.Send(big, 0)
	}
	if !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("a full socket: %v", err)
	}

	l := must(kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM|sockeye.SOCK_NONBLOCK, 0))(t)
	defer l.Close()
	check(t, l.Bind(loopback))
	check(t, l.Listen(1))
	if _, _, err := l.Accept(); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("accept: %v", err)
	}
	c := must(kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM|sockeye.SOCK_NONBLOCK, 0))(t)
	defer c.Close()
	if err := c.Connect(must(l.Getsockname())(t)); !errors.Is(err, syscall.EINPROGRESS) {
		t.Errorf("connect: %v", err)
	}
	l.SetNonblock(false)
	conn, _, err := l.Accept4(sockeye.SOCK_NONBLOCK)
	check(t, err)
	defer conn.Close()
	if !conn.Nonblock() {
		t.Error("accept4 did not make the socket non-blocking")
	}
	check(t, c.Connect(must(l.Getsockname())(t))) // how it ended
	if err := c.Connect(must(l.Getsockname())(t)); !errors.Is(err, syscall.EISCONN) {
		t.Errorf("connect when connected: %v", err)
	}
}

func TestTimeoutsOfTheSocketGiveEAGAIN(t *testing.T) {
	const short = time.Millisecond
	a, b := socketPair(t)
	check(t, sockeye.SO_RCVTIMEO.Set(a, short))
	check(t, sockeye.SO_SNDTIMEO.Set(a, short))
	p := make([]byte, 8)
	if n, err := a.Recv(p, 0); n != 0 || !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("recv: %d, %v", n, err)
	}
	must(b.Send([]byte("abc"), 0))(t)
	await(t, a, sockeye.POLLIN)
	if n, err := a.Recv(p, sockeye.MSG_WAITALL); n != 3 || err != nil {
		t.Errorf("MSG_WAITALL: %d, %v; want what had come", n, err)
	}
	big := make([]byte, 64<<20)
	n, err := a.Send(big, 0)
	if n == 0 || n == len(big) || err != nil {
		t.Errorf("send took %d, %v; want a part", n, err)
	}
	for n > 0 {
		n, err = a.Send(big, 0)
	}
	if !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("send to a full socket: %v", err)
	}
	// A deadline that comes before is told as one.
	check(t, sockeye.SO_RCVTIMEO.Set(a, time.Hour))
	check(t, a.SetReadDeadline(time.Now().Add(short)))
	if _, err := a.Recv(p, 0); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("deadline before SO_RCVTIMEO: %v", err)
	}
	check(t, sockeye.SO_RCVTIMEO.Set(a, short))
	check(t, a.SetReadDeadline(time.Now().Add(time.Hour)))
	if _, err := a.Recv(p, 0); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("SO_RCVTIMEO before the deadline: %v", err)
	}
	check(t, sockeye.SO_RCVTIMEO.Set(a, 0))
	check(t, a.SetReadDeadline(time.Time{}))
	soon(t, func() { b.Send([]byte("x"), 0) })
	if n, err := a.Recv(p, 0); n != 1 || err != nil {
		t.Errorf("no timeout: %d, %v", n, err)
	}

	l := must(kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))(t)
	defer l.Close()
	check(t, l.Bind(loopback))
	check(t, l.Listen(1))
	check(t, sockeye.SO_RCVTIMEO.Set(l, short))
	if _, _, err := l.Accept(); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("accept: %v", err)
	}
	c := must(kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))(t)
	defer c.Close()
	check(t, c.Connect(must(l.Getsockname())(t)))
	conn, _, err := l.Accept()
	check(t, err)
	defer conn.Close()
	if _, err := conn.Recv(p, 0); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("an accepted socket has its listener's timeout: %v", err)
	}

	port := silentListener(t)
	d := must(kernel.Host().Socket(sockeye.AF_INET6, sockeye.SOCK_STREAM, 0))(t)
	defer d.Close()
	check(t, sockeye.SO_SNDTIMEO.Set(d, short))
	if err := d.Connect(sockeye.SockaddrInet6([16]byte{15: 1}, uint16(port), 0, 0)); !errors.Is(err, syscall.EINPROGRESS) {
		t.Errorf("connect: %v", err) // socket(7)
	}
}

func TestRecvmmsgWaitsForAllOrForOne(t *testing.T) {
	// What is sent on unix sockets is there when the call returns.
	a, b, err := kernel.Host().Socketpair(sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
	check(t, err)
	defer a.Close()
	defer b.Close()
	send := func(words ...string) {
		for _, w := range words {
			must(a.Send([]byte(w), 0))(t)
		}
	}
	ms := buffers(3, 8)
	send("one", "two")
	soon(t, func() { a.Send([]byte("three"), 0) })
	if n, err := b.Recvmmsg(ms, 0); n != 3 || err != nil || string(ms[2].Buffers[0][:ms[2].N]) != "three" {
		t.Errorf("waited for %d, %v", n, err)
	}
	soon(t, func() { a.Send([]byte("four"), 0) })
	if n, err := b.Recvmmsg(ms, sockeye.MSG_WAITFORONE); n != 1 || err != nil || ms[0].N != 4 {
		t.Errorf("MSG_WAITFORONE gave %d, %v", n, err)
	}
	send("five", "six")
	if n, err := b.Recvmmsg(ms, sockeye.MSG_WAITFORONE); n != 2 || err != nil {
		t.Errorf("MSG_WAITFORONE gave %d, %v", n, err)
	}
	send("seven")
	if n, err := b.Recvmmsg(ms, sockeye.MSG_DONTWAIT); n != 1 || err != nil {
		t.Errorf("MSG_DONTWAIT gave %d, %v", n, err)
	}
	send("eight")
	check(t, b.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	n, err := b.Recvmmsg(ms, 0)
	if n != 1 || !errors.Is(err, os.ErrDeadlineExceeded) || string(ms[0].Buffers[0][:ms[0].N]) != "eight" {
		t.Errorf("a deadline after one message: %d, %v", n, err)
	}
	check(t, b.SetReadDeadline(time.Time{}))
	check(t, sockeye.SO_RCVTIMEO.Set(b, time.Millisecond))
	send("nine")
	if n, err := b.Recvmmsg(ms, 0); n != 1 || err != nil {
		t.Errorf("SO_RCVTIMEO after one message: %d, %v", n, err)
	}
}

func TestMessageBoundariesAreKept(t *testing.T) {
	a, b := datagramPair(t)
	for _, w := range []string{"first", "", "third"} {
		must(a.Send([]byte(w), 0))(t)
	}
	p := make([]byte, 3)
	if n, err := b.Recv(p, sockeye.MSG_TRUNC|sockeye.MSG_PEEK); n != 5 || err != nil {
		t.Errorf("the true length is %d, %v", n, err)
	}
	if n, err := b.Recv(p, sockeye.MSG_WAITALL); n != 3 || err != nil { // a datagram is never gathered
		t.Errorf("the first: %d, %v", n, err)
	}
	if n, err := b.Read(p); n != 0 || err != nil { // nor is an empty one the end
		t.Errorf("the second: %d, %v", n, err)
	}
	m := buffers(1, 3)[0]
	if n, err := b.Recvmsg(&m, 0); n != 3 || err != nil || m.Flags != sockeye.MSG_TRUNC || string(m.Buffers[0]) != "thi" {
		t.Errorf("the third: %d, %v, %v", n, err, m.Flags)
	}
}

func TestGatheringKeepsTheSendersName(t *testing.T) {
	client, server := connPair(t, "unix")
	a, b := client.(*sockeye.UnixConn).Socket(), server.(*sockeye.UnixConn).Socket()
	soon(t, func() { b.Send([]byte("def"), 0) })
	must(b.Send([]byte("abc"), 0))(t)
	p := make([]byte, 6)
	n, from, err := a.Recvfrom(p, sockeye.MSG_WAITALL)
	if want := must(b.Getsockname())(t); n != 6 || from != want || err != nil {
		t.Errorf("%q from %v, %v; want %v", p[:n], from, err, want)
	}
}

func TestUrgentDataIsMarked(t *testing.T) {
	a, b := socketPair(t)
	must(a.Send([]byte("ab"), 0))(t)
	must(a.Send([]byte("!"), sockeye.MSG_OOB))(t)
	must(a.Send([]byte("cd"), 0))(t)
	p := make([]byte, 8)
	await(t, b, sockeye.POLLPRI)
	must(b.Recv(p[:1], sockeye.MSG_WAITALL))(t)
	if must(b.AtMark())(t) {
		t.Error("at the mark too early")
	}
	if n, err := b.Recv(p, 0); string(p[:n]) != "b" || err != nil { // a receive stops before the mark
		t.Errorf("before the mark: %q, %v", p[:n], err)
	}
	if !must(b.AtMark())(t) {
		t.Error("not at the mark")
	}
	if n, err := b.Recv(p, sockeye.MSG_OOB); string(p[:n]) != "!" || err != nil {
		t.Errorf("urgent: %q, %v", p[:n], err)
	}
	if n, err := b.Recv(p[:2], sockeye.MSG_WAITALL); string(p[:n]) != "cd" || err != nil {
		t.Errorf("after the mark: %q, %v", p[:n], err)
	}
}

func TestQueuesTellWhatTheyHold(t *testing.T) {
	a, b := datagramPair(t)
	must(a.Send(make([]byte, 30), 0))(t)
	must(a.Send(make([]byte, 70), 0))(t)
	await(t, b, sockeye.POLLIN)
	if n := must(b.Inq())(t); n != 30 { // of a datagram socket: the next one
		t.Errorf("Inq is %d", n)
	}
	c, s := socketPair(t)
	must(c.Send(make([]byte, 100), 0))(t)
	must(s.Recv(make([]byte, 100), sockeye.MSG_WAITALL|sockeye.MSG_PEEK))(t)
	if n := must(s.Inq())(t); n != 100 {
		t.Errorf("Inq is %d", n)
	}
	if n := must(b.Outq())(t); n != 0 {
		t.Errorf("Outq is %d with nothing sent", n)
	}
}
