package stack_test

import (
	"encoding/binary"
	"errors"
	"sync"
	"syscall"
	"testing"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/stack"
)

// After a plain receive the datagrams that wait are lent to those who receive (stack/inet/udp_reader.go).
// Everything else finds them all the same.
func TestWhatIsLentToReceiversIsThereForOtherCalls(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	server, client := udp(h, sockeye.AF_INET, "127.0.0.1", 7000), udp(h, sockeye.AF_INET, "127.0.0.1", 7001)
	if err := client.Connect(at("127.0.0.1", 7000)); err != nil {
		t.Fatal(err)
	}
	if err := server.Connect(at("127.0.0.1", 7001)); err != nil {
		t.Fatal(err)
	}
	next := 0
	send := func(n int) {
		for range n {
			if _, err := client.Send(make([]byte, 1+next), 0); err != nil {
				t.Fatal(err)
			}
			next++
		}
	}
	want := 1
	buf := make([]byte, 1000)
	receive := func(how string, flags sockeye.MsgFlags) {
		t.Helper()
		n, from, err := server.Recvfrom(buf, flags)
		if n != want || from != at("127.0.0.1", 7001) || err != nil {
			t.Errorf("%s: %d bytes from %v, error %v; want %d", how, n, from, err, want)
		}
		if flags&sockeye.MSG_PEEK == 0 {
			want++
		}
	}
	send(100)
	receive("first", 0)
	receive("lent", 0)
	receive("without waiting", sockeye.MSG_DONTWAIT)
	receive("peeked", sockeye.MSG_PEEK)
	receive("after a peek", 0)
	if n, err := server.Inq(); n != want || err != nil {
		t.Errorf("SIOCINQ: %d, error %v; want %d", n, err, want)
	}
	send(100) // of which some are longer than what is copied into the queue
	receive("after SIOCINQ", 0)
	if e := server.Ready(sockeye.POLLIN); e != sockeye.POLLIN {
		t.Errorf("poll: %v", e)
	}
	m := sockeye.Message{Buffers: [][]byte{buf}}
	if n, err := server.Recvmsg(&m, 0); n != want || err != nil {
		t.Errorf("recvmsg: %d bytes, error %v; want %d", n, err, want)
	}
	want++
	receive("after recvmsg", 0)
	if err := sockeye.SO_PEEK_OFF.Set(server, 2); err != nil {
		t.Fatal(err)
	}
	if n, err := server.Recv(buf, sockeye.MSG_PEEK); n != want-2 || err != nil {
		t.Errorf("peeked from byte 2 on: %d bytes, error %v; want %d", n, err, want-2)
	}
	if err := sockeye.SO_PEEK_OFF.Set(server, -1); err != nil {
		t.Fatal(err)
	}
	receive("after SO_PEEK_OFF", 0)
	client.Close()
	receive("lent before an error", 0)
	server.Send([]byte("to nobody"), 0)
	if _, err := server.Recv(buf, 0); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("an error comes before datagrams that are lent: %v", err)
	}
	for want <= 200 {
		receive("all in order", sockeye.MSG_DONTWAIT)
	}
	if _, err := server.Recv(buf, sockeye.MSG_DONTWAIT); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("at the end: %v", err)
	}
}

// Linux gives the room of datagrams that it took together back in quarters of SO_RCVBUF, and when there are
// none of them left.
func TestRoomOfDatagramsIsGivenBackInQuarters(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	for _, tt := range []struct {
		name  string
		flags sockeye.MsgFlags
	}{{"lent", 0}, {"not lent", sockeye.MSG_TRUNC}} {
		h := stack.NewHost(stack.Config{})
		defer h.Close()
		testRoomOfDatagrams(t, h.Sockets(), tt.name, tt.flags)
	}
}

func testRoomOfDatagrams(t *testing.T, h *sockeye.Host, name string, flags sockeye.MsgFlags) {
	server, client := must(h.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)), must(h.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0))
	defer server.Close()
	defer client.Close()
	if err := server.Bind(at("127.0.0.1", 0)); err != nil {
		t.Fatal(err)
	}
	if err := client.Connect(must(server.Getsockname())); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	for range 1000 { // more than there is room for
		client.Send(buf, 0)
	}
	if _, err := server.Recv(buf, flags); err != nil {
		t.Fatal(err)
	}
	buf[0] = 1 // one for which there is no room yet
	client.Send(buf, 0)
	n := 1
	for ; ; n++ {
		if _, err := server.Recv(buf, flags|sockeye.MSG_DONTWAIT); err != nil {
			break
		}
		if buf[0] != 0 {
			t.Errorf("%s: there was room at once", name)
		}
	}
	for range 1000 {
		buf[0] = 0
		client.Send(buf, 0)
	}
	for range n/2 + 1 {
		server.Recv(buf, flags)
	}
	buf[0] = 2
	if client.Send(buf, 0); n < 10 {
		t.Errorf("%s: only %d datagrams fit", name, n)
	}
	for {
		if _, err := server.Recv(buf, flags|sockeye.MSG_DONTWAIT); err != nil {
			t.Errorf("%s: no room after half was received: %v", name, err)
			return
		}
		if buf[0] == 2 {
			return
		}
	}
}

func TestManyReceiversGetEachDatagramOnce(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	const receivers, most = 4, 20000
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	server, client := udp(h, sockeye.AF_INET, "127.0.0.1", 7000), udp(h, sockeye.AF_INET, "127.0.0.1", 7001)
	client.Connect(at("127.0.0.1", 7000))
	server.Connect(at("127.0.0.1", 7001))
	var mu sync.Mutex
	seen := make(map[uint32]int)
	var wg sync.WaitGroup
	for range receivers {
		wg.Go(func() {
			buf := make([]byte, 4)
			last := uint32(0)
			for {
				if n, err := server.Recv(buf, 0); n != 4 || err != nil {
					return
				}
				v := binary.BigEndian.Uint32(buf)
				if v <= last {
					t.Errorf("%d after %d", v, last)
				}
				last = v
				mu.Lock()
				seen[v]++
				mu.Unlock()
			}
		})
	}
	buf := make([]byte, 4)
	for i := range uint32(most) {
		binary.BigEndian.PutUint32(buf, i+1)
		client.Send(buf, 0)
		if i%64 == 0 {
			server.Ready(sockeye.POLLIN)
			server.Inq() // takes back what is lent
		}
	}
	server.Shutdown(sockeye.SHUT_RD) // who finds nothing more is done
	wg.Wait()
	dropped := 0
	for _, s := range h.ListSockets() {
		dropped += int(s.Drops)
	}
	if len(seen)+dropped != most {
		t.Errorf("%d came and %d were dropped, of %d", len(seen), dropped, most)
	}
	for v, n := range seen {
		if n != 1 {
			t.Errorf("datagram %d came %d times", v, n)
		}
	}
}
