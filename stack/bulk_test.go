package stack_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
)

// A random stream that its receiver can draw again: 4 GiB, or 64 MiB in short, over a link that
// does everything at once. In virtual time this takes two hours.
func TestGibibytesCrossABadLinkUnharmed(t *testing.T) {
	leak.Check(t)
	size := int64(4 << 30)
	if testing.Short() {
		size = 64 << 20
	}
	synctest.Test(t, func(t *testing.T) {
		a, b, cable := faulty(t, link.Faults{Delay: 5 * time.Millisecond,
			Loss: 0.03, Duplicate: 0.01, Corrupt: 0.01, Reorder: link.Reorder{Probability: 0.02}})
		client, server := connection(a, b, "10.0.0.2")
		start := time.Now()
		go func() {
			draw(size, func(block []byte) bool {
				n, err := client.Send(block, 0)
				if n != len(block) || err != nil {
					t.Errorf("sent %d of %d bytes: %v", n, len(block), err)
				}
				return err == nil
			})
			client.Shutdown(sockeye.SHUT_WR)
		}()
		got, at := make([]byte, 64<<10), int64(0)
		draw(size, func(block []byte) bool {
			n, err := io.ReadFull(server, got[:len(block)])
			if err != nil || !bytes.Equal(got[:n], block) {
				t.Errorf("from byte %d on, %d of %d bytes came, equal %v: %v", at, n, len(block), bytes.Equal(got[:n], block[:n]), err)
			}
			at += int64(n)
			return err == nil && !t.Failed()
		})
		if n, err := server.Recv(got, 0); n != 0 || err != nil {
			t.Errorf("behind the end %d bytes came: %v", n, err)
		}
		took := time.Since(start)
		t.Logf("%d bytes in %v: %.2f Mbit/s", at, took, float64(at)*8e-6/took.Seconds())
		for _, d := range []link.Direction{link.Out, link.In} {
			s := cable.Stats(d)
			for _, f := range []link.Fate{link.Lost, link.Duplicated, link.Corrupted, link.Reordered} {
				if s.Packets[f] == 0 {
					t.Errorf("no packet was %v on the way %v", f, d)
				}
			}
		}
		client.Close()
		server.Close()
	})
}

// draw calls f with size random bytes, in blocks that are valid until it returns, until it
// gives false.
func draw(size int64, f func(block []byte) bool) {
	source := rand.NewPCG(4, 4)
	block := make([]byte, 64<<10)
	for more := true; more && size > 0; size -= int64(len(block)) {
		block = block[:min(size, int64(len(block)))]
		for i := 0; i+8 <= len(block); i += 8 {
			binary.LittleEndian.PutUint64(block[i:], source.Uint64())
		}
		more = f(block)
	}
}
