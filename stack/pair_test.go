package stack_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
)

// What README.md shows: closing the pair is enough to end the server and the client.
func TestAPairServesHTTPAndEndsWithClose(t *testing.T) {
	leak.Check(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) })
	synctest.Test(t, func(t *testing.T) {
		p := stack.NewPair(stack.PairConfig{Faults: link.Faults{Delay: 50 * time.Millisecond, Loss: 0.01}})
		defer p.Close()
		a, b := p.A.Sockets(), p.B.Sockets()
		l, _ := b.Listen("tcp", ":8080")
		go http.Serve(l, handler)
		client := http.Client{Transport: &http.Transport{DialContext: a.DialContext}}
		start := time.Now()
		resp, err := client.Get("http://b:8080/")
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); len(body) != 1<<20 || err != nil {
			t.Errorf("read %d bytes, %v", len(body), err)
		}
		if d := time.Since(start); d < 400*time.Millisecond {
			t.Errorf("a megabyte over 100 ms round trips took %v", d)
		}
	})
}

func TestThePairsHostsKnowEachOtherByName(t *testing.T) {
	leak.Check(t)
	p := stack.NewPair(stack.PairConfig{})
	defer p.Close()
	for _, network := range []string{"tcp4", "tcp6"} {
		l := must(p.A.Sockets().Listen(network, ":8080"))
		c, err := p.B.Sockets().Dial(network, "a:8080")
		if err != nil {
			t.Fatal(err)
		}
		if from := must(l.Accept()).RemoteAddr().String(); from != c.LocalAddr().String() {
			t.Errorf("the caller is %s, and seen as %s", c.LocalAddr(), from)
		}
		l.Close()
	}
}

func TestAPairsCaptureHasWhatASendsAndReceives(t *testing.T) {
	leak.Check(t)
	var file bytes.Buffer
	capture := link.NewPcapng(&file, time.Time{})
	p := stack.NewPair(stack.PairConfig{Capture: capture})
	defer p.Close()
	server := must(p.B.Sockets().ListenPacket("udp", "10.0.0.2:7777"))
	client := must(p.A.Sockets().Dial("udp", "b:7777"))
	client.Write([]byte("a question"))
	buf := make([]byte, 100)
	_, from, err := server.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	server.WriteTo([]byte("an answer"), from)
	if err := capture.Err(); err != nil || !bytes.Contains(file.Bytes(), []byte("a question")) || !bytes.Contains(file.Bytes(), []byte("an answer")) {
		t.Errorf("%d bytes were captured, %v", file.Len(), err)
	}
}

func TestImpossibleFaultsMakeNoPair(t *testing.T) {
	leak.Check(t)
	defer func() {
		if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), "a probability is from 0 to 1") {
			t.Errorf("the panic is %v", err)
		}
	}()
	stack.NewPair(stack.PairConfig{Faults: link.Faults{Loss: 10}})
}
