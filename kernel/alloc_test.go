//go:build linux && !race

package kernel_test

import (
	"testing"

	"sockeye"
)

// Under the race detector a sync.Pool forgets at random what it was given; so
// these tests are for builds without it. A collection empties it too: hence
// fewer than one, not none.
func TestCallsAllocateNothing(t *testing.T) {
	a, b := streamPair(t)
	c, from := udp(t)
	d, to := udp(t)
	msg, buf := make([]byte, 64), make([]byte, 64)
	out := sockeye.Message{Name: to, Buffers: [][]byte{msg[:32], msg[32:]}}
	in := sockeye.Message{Buffers: [][]byte{buf}, Control: make([]byte, 128)}
	check(t, sockeye.IP_PKTINFO.Set(d, true))
	check(t, sockeye.SO_TIMESTAMPNS.Set(d, true))
	outs, ins := make([]sockeye.Message, 16), make([]sockeye.Message, 16)
	for i := range outs {
		outs[i] = out
		ins[i] = sockeye.Message{Buffers: [][]byte{make([]byte, 64)}, Control: make([]byte, 128)}
	}
	for _, tt := range []struct {
		name string
		call func() error
	}{
		{"Send and Recv", func() error {
			if _, err := a.Send(msg, 0); err != nil {
				return err
			}
			_, err := b.Recv(buf, 0)
			return err
		}},
		{"Write and Read", func() error {
			if _, err := a.Write(msg); err != nil {
				return err
			}
			_, err := b.Read(buf)
			return err
		}},
		{"Recv with MSG_WAITALL", func() error {
			if _, err := a.Send(msg, 0); err != nil {
				return err
			}
			_, err := b.Recv(buf, sockeye.MSG_WAITALL)
			return err
		}},
		{"Sendto and Recvfrom", func() error {
			if _, err := d.Sendto(msg, 0, from); err != nil {
				return err
			}
			_, _, err := c.Recvfrom(buf, 0)
			return err
		}},
		{"Sendmsg and Recvmsg with ancillary data", func() error {
			if _, err := c.Sendmsg(&out, 0); err != nil {
				return err
			}
			_, err := d.Recvmsg(&in, 0)
			return err
		}},
		{"Sendmmsg and Recvmmsg", func() error {
			if _, err := c.Sendmmsg(outs, 0); err != nil {
				return err
			}
			_, err := d.Recvmmsg(ins, 0)
			return err
		}},
		{"EAGAIN", func() error {
			_, err := b.Recv(buf, sockeye.MSG_DONTWAIT)
			if err == nil {
				t.Error("recv without data is no error")
			}
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if allocs := testing.AllocsPerRun(200, func() {
				if err := tt.call(); err != nil {
					t.Fatal(err)
				}
			}); allocs >= 1 {
				t.Errorf("%v allocations", allocs)
			}
		})
	}
}

// TestWaitingAllocatesNothing has each receive wait for its data.
func TestWaitingAllocatesNothing(t *testing.T) {
	a, b := streamPair(t)
	go func() {
		buf := make([]byte, 64)
		for {
			n, err := b.Recv(buf, 0)
			if n == 0 || err != nil {
				return
			}
			if _, err := b.Send(buf[:n], 0); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64)
	if allocs := testing.AllocsPerRun(200, func() {
		if _, err := a.Send(buf, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Recv(buf, 0); err != nil {
			t.Fatal(err)
		}
	}); allocs >= 1 {
		t.Errorf("a round trip makes %v allocations", allocs)
	}
}
