package networks_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/lab"
	"sockeye/link"
)

// A reader that does not read stops its writer: both buffers fill up, the window closes, and the writer probes it now
// and then (RFC 9293 section 3.8.6.1), for as long as it takes. Nothing is lost, and nothing more is sent than fits.
func TestASlowReaderStopsTheWriter(t *testing.T) {
	const pause = 10 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		writer, reader := n.Host("writer"), n.Host("reader")
		n.Link(writer, reader, link.Faults{Delay: 10 * time.Millisecond})
		l := reader.MustListen("tcp", ":80")
		c, err := writer.Dial("tcp", "reader:80")
		if err != nil {
			t.Fatal(err)
		}
		peer, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		for _, end := range []net.Conn{c, peer} {
			end.(*sockeye.TCPConn).SetKeepAlive(false) // whose probes would hide those of the window
		}

		data := make([]byte, 32<<20)
		rand.NewChaCha8([32]byte{}).Read(data)
		written := make(chan time.Duration)
		go func() {
			c.Write(data)
			c.Close()
			written <- n.Now()
		}()

		time.Sleep(pause)
		select {
		case at := <-written:
			t.Fatalf("the write ended after %v, with nobody reading", at)
		default:
		}
		ladder := n.Conversations()[0].Tail(12)
		for _, mark := range []string{"win 0", "probe"} {
			if !strings.Contains(ladder, mark) {
				t.Errorf("the ladder does not show %q", mark)
			}
		}
		t.Logf("after %v:\n%s%s", pause, ladder, n.Report())

		got := make(chan []byte)
		go func() {
			all, err := io.ReadAll(peer)
			if err != nil {
				t.Error(err)
			}
			got <- all
		}()
		if at := <-written; at < pause {
			t.Errorf("the write ended after %v", at)
		}
		if !bytes.Equal(<-got, data) {
			t.Error("what was read is not what was written")
		}
	})
}
