package stack_test

import (
	"bytes"
	"errors"
	"io"
	"syscall"
	"testing"
	"testing/synctest"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
)

// A bridge is a host in the middle of two networks, on each of which it has a connection.
type bridge struct {
	left, right    *sockeye.Socket // its own
	source, target *sockeye.Socket // at the other ends
}

func newBridge(t *testing.T) *bridge {
	pairs := [2]*stack.Pair{}
	for i := range pairs {
		pairs[i] = stack.NewPair(stack.PairConfig{Cable: link.CableOptions{MaxGSO: link.MaxGSO}})
		t.Cleanup(pairs[i].Close)
	}
	var b bridge
	b.source, b.left = connectedPair(t, pairs[0])
	b.right, b.target = connectedPair(t, pairs[1])
	return &b
}

// connectedPair is a connection from host a to host b.
func connectedPair(t *testing.T, p *stack.Pair) (from, to *sockeye.Socket) {
	t.Helper()
	l, err := p.B.Sockets().Listen("tcp", ":8080")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := p.A.Sockets().Dial("tcp", "b:8080")
	if err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	type socketed interface{ Socket() *sockeye.Socket }
	return conn.(socketed).Socket(), peer.(socketed).Socket()
}

func TestSpliceMovesAStreamFromOneHostToAnother(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		data := noise(5 << 20)
		go func() {
			b.source.Write(data)
			b.source.Shutdown(sockeye.SHUT_WR)
		}()
		moved := make(chan int64, 1)
		go func() {
			n, err := sockeye.Splice(b.right, b.left, -1)
			if err != nil {
				t.Error(err)
			}
			b.right.Shutdown(sockeye.SHUT_WR)
			moved <- n
		}()
		got, err := io.ReadAll(b.target)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes of %d arrived, equal: %v; %v", len(got), len(data), bytes.Equal(got, data), err)
		}
		if n := <-moved; n != int64(len(data)) {
			t.Errorf("moved %d bytes of %d", n, len(data))
		}
	})
}

func TestSpliceStopsAtItsLimitAndLosesNothing(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		b.source.Write([]byte("one two"))
		if n, err := sockeye.Splice(b.right, b.left, 3); n != 3 || err != nil {
			t.Errorf("moved %d bytes of 3: %v", n, err)
		}
		buf := make([]byte, 10)
		if n, err := b.left.Recv(buf, 0); string(buf[:n]) != " two" || err != nil {
			t.Errorf("left over: %q, %v", buf[:n], err)
		}
		if n, err := b.target.Recv(buf, 0); string(buf[:n]) != "one" || err != nil {
			t.Errorf("moved: %q, %v", buf[:n], err)
		}
	})
}

func TestSpliceWaitsForASlowReceiver(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		go b.source.Write(make([]byte, 64<<20))
		go sockeye.Splice(b.right, b.left, -1)
		synctest.Wait() // nobody reads
		// What is on its way is in the buffers of four sockets and one piece in hand.
		inq, err := b.left.Inq()
		if err != nil || inq == 0 {
			t.Errorf("%d bytes wait to be moved: %v", inq, err)
		}
	})
}

func TestSpliceTellsOfAReset(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		ended := make(chan error, 1)
		go func() {
			_, err := sockeye.Splice(b.right, b.left, -1)
			ended <- err
		}()
		synctest.Wait()
		sockeye.SO_LINGER.Set(b.source, sockeye.Linger{On: true})
		b.source.Close()
		if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the source was reset: %v", err)
		}
	})
}
