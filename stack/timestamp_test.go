package stack_test

import (
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
)

// What came is stamped with the time at which it came, not that at which it is received.
func TestSoftwareTimestampsTellWhenDatagramsCame(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		p := stack.NewPair(stack.PairConfig{Faults: link.Faults{Delay: 30 * time.Millisecond}})
		defer p.Close()
		for _, tt := range []struct {
			flags int
			told  bool
		}{
			{sockeye.SOF_TIMESTAMPING_RX_SOFTWARE | sockeye.SOF_TIMESTAMPING_SOFTWARE, true},
			{sockeye.SOF_TIMESTAMPING_RX_SOFTWARE, false},
			{sockeye.SOF_TIMESTAMPING_SOFTWARE, false},
		} {
			server, client := udp(p.B, sockeye.AF_INET, "10.0.0.2", 7777), udp(p.A, sockeye.AF_INET, "10.0.0.1", 8888)
			ok(t, sockeye.SO_TIMESTAMPING.Set(server, tt.flags))
			came := time.Now().Add(30 * time.Millisecond)
			must(client.Sendto([]byte("x"), 0, at("10.0.0.2", 7777)))
			time.Sleep(time.Second)
			m := sockeye.Message{Buffers: [][]byte{make([]byte, 10)}, Control: make([]byte, 128)}
			must(server.Recvmsg(&m, 0))
			told := false
			for c := range m.ControlMessages() {
				if when, is := c.Timestamp(); is {
					told = true
					if !when.Equal(came) {
						t.Errorf("it came at %v, and is said to have come at %v", came, when)
					}
				}
			}
			if told != tt.told {
				t.Errorf("SO_TIMESTAMPING %#x: a time was told: %v", tt.flags, told)
			}
			server.Close()
			client.Close()
		}
	})
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
