package stack_test

import (
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/event"
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

// The times of what is sent are those at which it left for the link, which is when the neighbour has answered, and at
// which the peer's acknowledgement came.
func TestSoftwareTimestampsTellWhenDataLeft(t *testing.T) {
	leak.Check(t)
	for _, lockstep := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const delay = 30 * time.Millisecond
			c := stack.PairConfig{Faults: link.Faults{Delay: delay}, Cable: link.CableOptions{Ethernet: true}}
			if lockstep {
				c.Loop = event.NewLockstep(synctest.Wait)
			}
			p := stack.NewPair(c)
			defer p.Close()
			start := time.Now()
			u := udp(p.A, sockeye.AF_INET, "10.0.0.1", 8888)
			defer u.Close()
			ok(t, sockeye.SO_TIMESTAMPING.Set(u, sockeye.SOF_TIMESTAMPING_TX_SCHED|sockeye.SOF_TIMESTAMPING_TX_SOFTWARE|
				sockeye.SOF_TIMESTAMPING_SOFTWARE|sockeye.SOF_TIMESTAMPING_OPT_ID))
			must(u.Sendto([]byte("waits for ARP"), 0, at("10.0.0.2", 7777)))
			time.Sleep(time.Second)
			for _, what := range []uint32{sockeye.SCM_TSTAMP_SCHED, sockeye.SCM_TSTAMP_SND} {
				if got, want := nextStamp(t, u), (sentStamp{what, 0, 2 * delay, "waits for ARP"}); got.since(start) != want {
					t.Errorf("the datagram's time: %+v, want %+v", got.since(start), want)
				}
			}

			l := must(p.B.Sockets().Listen("tcp", ":9999"))
			defer l.Close()
			conn := must(p.A.Sockets().Dial("tcp", "10.0.0.2:9999"))
			defer conn.Close()
			s := conn.(interface{ Socket() *sockeye.Socket }).Socket()
			ok(t, sockeye.SO_TIMESTAMPING.Set(s, sockeye.SOF_TIMESTAMPING_TX_SOFTWARE|sockeye.SOF_TIMESTAMPING_TX_ACK|
				sockeye.SOF_TIMESTAMPING_SOFTWARE|sockeye.SOF_TIMESTAMPING_OPT_ID))
			start = time.Now()
			must(s.Send(make([]byte, 4000), 0)) // three segments
			time.Sleep(time.Second)
			for _, want := range []sentStamp{{sockeye.SCM_TSTAMP_SND, 3999, 0, ""}, {sockeye.SCM_TSTAMP_ACK, 3999, 2 * delay, ""}} {
				got := nextStamp(t, s).since(start)
				if want.tail = got.tail; got != want {
					t.Errorf("the stream's time: %+v, want %+v", got, want)
				}
			}
		})
	}
}

// A sentStamp is a message of the error queue that tells when something was sent.
type sentStamp struct {
	what, id uint32
	at       time.Duration
	tail     string
}

func (s sentStamp) since(start time.Time) sentStamp {
	s.at -= time.Duration(start.UnixNano())
	return s
}

// nextStamp receives the next one, its time since 1970.
func nextStamp(t *testing.T, s *sockeye.Socket) (got sentStamp) {
	t.Helper()
	m := sockeye.Message{Buffers: [][]byte{make([]byte, 5000)}, Control: make([]byte, 256)}
	must(s.Recvmsg(&m, sockeye.MSG_ERRQUEUE))
	for c := range m.ControlMessages() {
		if e, is := c.ExtendedError(); is {
			got.what, got.id = e.Info, e.Data
		}
		if when, is := c.Timestamp(); is {
			got.at = time.Duration(when.UnixNano())
		}
	}
	got.tail = string(m.Buffers[0][max(0, m.N-13):m.N])
	return got
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
