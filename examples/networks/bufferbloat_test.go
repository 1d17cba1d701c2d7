package networks_test

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/lab"
	"sockeye/link"
)

// A modem with a large buffer in front of a slow line delays everybody: an upload keeps the buffer full, and each
// packet of others stands in line behind it. A buffer of two round trips gives the upload as much, and the others
// an answer in time. (Gettys and Nichols, Bufferbloat: Dark Buffers in the Internet, CACM 2012.)
func TestAnUploadFillsTheModemsBuffer(t *testing.T) {
	const (
		rate      = 10_000_000 // bit/s
		oneWay    = 10 * time.Millisecond
		roundTrip = 2 * oneWay
		while     = 20 * time.Second
	)
	type result struct {
		idle, busy time.Duration // round trips of a small datagram
		uploaded   float64       // of what the line carries
	}
	measure := func(t *testing.T, buffer int) (r result) {
		n := lab.New(t)
		laptop, phone, modem, server := n.Host("laptop"), n.Host("phone"), n.Router("modem"), n.Host("server")
		home := n.Switch("home")
		n.Link(laptop, home)
		n.Link(phone, home)
		n.Link(modem, home)
		n.Link(modem, server, link.Faults{Delay: oneWay, Rate: rate, Queue: link.Queue{Bytes: buffer}}, link.Faults{Delay: oneWay})

		p, err := server.ListenPacket("udp", ":7")
		if err != nil {
			t.Fatal(err)
		}
		go echoDatagrams(p)
		l := server.MustListen("tcp", ":80")
		var received int64
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			received, _ = io.Copy(io.Discard, c)
		}()

		call, err := phone.Dial("udp", "server:7")
		if err != nil {
			t.Fatal(err)
		}
		r.idle = slowest(call, time.Second)
		upload, err := laptop.Dial("tcp", "server:80")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for b := make([]byte, 64<<10); ; {
				if _, err := upload.Write(b); err != nil {
					return
				}
			}
		}()
		start := time.Now()
		r.busy = slowest(call, while)
		took := time.Since(start)
		upload.Close()
		n.Close()
		synctest.Wait()
		r.uploaded = float64(received*8) / (rate * took.Seconds())
		return r
	}

	results := make(map[string]result)
	for name, buffer := range map[string]int{"bloated": 2 << 20, "two round trips": 50_000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := measure(t, buffer)
				t.Logf("a buffer of %d bytes: round trip %v idle, up to %v during the upload, which had %.0f %% of the line",
					buffer, r.idle, r.busy, 100*r.uploaded)
				if r.idle < roundTrip || r.idle > roundTrip+5*time.Millisecond {
					t.Errorf("the idle round trip is %v", r.idle)
				}
				if r.uploaded < 0.8 || r.uploaded > 1 {
					t.Errorf("the upload had %.0f %% of the line", 100*r.uploaded)
				}
				results[name] = r
			})
		})
	}
	if b, s := results["bloated"].busy, results["two round trips"].busy; b < 500*time.Millisecond || s > 5*roundTrip {
		t.Errorf("round trips during the upload: %v behind a large buffer, %v behind a small one", b, s)
	}
}

func echoDatagrams(p net.PacketConn) {
	b := make([]byte, 1500)
	for {
		n, from, err := p.ReadFrom(b)
		if err != nil {
			return
		}
		p.WriteTo(b[:n], from)
	}
}

// slowest is the longest round trip of a small datagram each 100 ms.
func slowest(c net.Conn, within time.Duration) (most time.Duration) {
	for end := time.Now().Add(within); time.Now().Before(end); {
		start := time.Now()
		next := start.Add(100 * time.Millisecond)
		c.SetReadDeadline(start.Add(3 * time.Second))
		c.Write([]byte("?"))
		if _, err := c.Read(make([]byte, 1)); err == nil { // a full buffer drops some
			most = max(most, time.Since(start))
		}
		time.Sleep(time.Until(next))
	}
	return most
}
