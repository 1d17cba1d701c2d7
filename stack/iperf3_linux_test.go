package stack_test

import (
	"encoding/json"
	"net"
	"testing"

	"sockeye/internal/iperf3"
	"sockeye/internal/leak"
)

// The kernel's iperf3 against a server on the Go host. -R lets the server send.
func TestIperf3RunsBothWays(t *testing.T) {
	leak.Check(t)
	h := neighbourhood(t)
	size := "256M"
	if testing.Short() {
		size = "64M" // more than all buffers hold
	}
	for _, ip := range []string{"10.9.0.2", "fd09::2"} {
		l := must(h.Sockets().Listen("tcp", net.JoinHostPort(ip, "5201")))
		for _, flags := range []string{"", "-R", "--bidir", "-P 4", "-P 4 -R"} {
			served := make(chan error, 1)
			go func() { served <- iperf3.Serve(l) }()
			out := run(t, "iperf3 -c %s -n %s -J %s", ip, size, flags)
			if err := <-served; err != nil {
				t.Errorf("%s %s: %v", ip, flags, err)
			}
			type sum struct{ Bytes float64 }
			var report struct {
				End struct {
					Received sum  `json:"sum_received"`
					Back     *sum `json:"sum_received_bidir_reverse"`
				}
			}
			if err := json.Unmarshal([]byte(out), &report); err != nil {
				t.Fatal(err)
			}
			if e := report.End; e.Received.Bytes == 0 || (flags == "--bidir") != (e.Back != nil) || e.Back != nil && e.Back.Bytes == 0 {
				t.Errorf("%s %s: %.0f bytes, %+v the other way", ip, flags, e.Received.Bytes, e.Back)
			}
		}
		l.Close()
	}
	if c := h.Counters(); c.TCP.InErrs != 0 || c.InCsumErrors != 0 {
		t.Errorf("%d segments were bad, %d by their checksum", c.TCP.InErrs, c.InCsumErrors)
	}
}
