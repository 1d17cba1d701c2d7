package networks_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/lab"
	"sockeye/link"
)

// TCP delivers in order: what came after a lost segment waits for it, even if it belongs to another matter.
// Two messages that share a connection share the loss; on connections of their own they do not. The ladder shows
// the second message arrive in time, and be kept.
func TestALostSegmentHoldsUpWhatIsBehindIt(t *testing.T) {
	const oneWay = 50 * time.Millisecond
	for _, tt := range []struct {
		name        string
		connections int
		late        bool // is the second message
	}{
		{"messages on one connection", 1, true},
		{"messages on connections of their own", 2, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := lab.New(t)
				sender, receiver := n.Host("sender"), n.Host("receiver")
				wire := n.Link(sender, receiver, link.Faults{Delay: oneWay})
				l := receiver.MustListen("tcp", ":80")
				var ends []net.Conn // of the sender
				var arrived [2]time.Duration
				done := make(chan bool)
				for range tt.connections {
					c, err := sender.Dial("tcp", "receiver:80")
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					peer, err := l.Accept()
					if err != nil {
						t.Fatal(err)
					}
					ends = append(ends, c)
					go func() {
						defer peer.Close()
						var b [1]byte
						for {
							if _, err := io.ReadFull(peer, b[:]); err != nil {
								return
							}
							arrived[b[0]-'0'] = n.Now()
							done <- true
						}
					}()
				}
				synctest.Wait()

				wire.SetFrom(sender, link.Faults{Loss: 1})
				io.WriteString(ends[0], "0")
				wire.SetFrom(sender, link.Faults{Delay: oneWay})
				time.Sleep(10 * time.Millisecond)
				sent := n.Now()
				io.WriteString(ends[len(ends)-1], "1")
				<-done
				<-done

				if took := arrived[1] - sent; tt.late != (took > oneWay) {
					t.Errorf("the second message took %v of at least %v", took, oneWay)
				}
				if arrived[0]-sent < 2*oneWay {
					t.Errorf("the lost message was there %v after the second had been sent", arrived[0]-sent)
				}
				ladder := n.Ladder(sender, receiver)
				for _, mark := range []string{"lost on sender-receiver", "retransmission"} {
					if !strings.Contains(ladder, mark) {
						t.Errorf("the ladder does not show %q", mark)
					}
				}
				t.Logf("\n%s", ladder)
			})
		})
	}
}
