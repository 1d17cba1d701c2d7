package iperf3_test

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"

	"sockeye/internal/iperf3"
)

// The program itself is the client.
func TestIperf3TakesItForAServer(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{"", "-R", "--bidir", "-P 3", "-P 2 -R", "-l 1000"} {
		t.Run("iperf3 "+flags, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			served := make(chan error, 1)
			go func() { served <- iperf3.Serve(l) }()
			_, port, _ := net.SplitHostPort(l.Addr().String())
			args := append([]string{"-c", "127.0.0.1", "-p", port, "-n", "64M", "-J"}, strings.Fields(flags)...)
			out, err := exec.Command("iperf3", args...).Output()
			if err != nil {
				t.Fatalf("iperf3 %v: %v: %s", args, err, out)
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
			var report struct {
				End struct {
					Sent     struct{ Bytes float64 } `json:"sum_sent"`
					Received struct{ Bytes float64 } `json:"sum_received"`
				}
			}
			if err := json.Unmarshal(out, &report); err != nil {
				t.Fatal(err)
			}
			// What is on its way when the client ends the test is not counted: 64 MiB are more than
			// all buffers hold.
			if e := report.End; e.Received.Bytes == 0 || e.Received.Bytes > e.Sent.Bytes {
				t.Errorf("iperf3 counts %.0f bytes sent and %.0f received", e.Sent.Bytes, e.Received.Bytes)
			}
		})
	}
}

func TestABadClientIsNamed(t *testing.T) {
	t.Parallel()
	cookie := strings.Repeat("c", 36) + "\x00"
	message := func(text string) string {
		return cookie + string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + text
	}
	for _, tt := range []struct{ sent, want string }{
		{"short", "sent no cookie"},
		{cookie, "sent no message"},
		{cookie + "\xff\xff\xff\xff", "a message of 4294967295 bytes"},
		{message(`{"udp":true}`), "only TCP"},
		{message(`{"parallel":1000}`), "1000 streams"},
		{message(`{"len":-1}`), "-1 bytes"},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte(tt.sent))
		c.(*net.TCPConn).CloseWrite()
		if err := iperf3.Serve(l); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("to %q: %v, want %q in it", tt.sent, err, tt.want)
		}
		io.Copy(io.Discard, c)
		c.Close()
		l.Close()
	}
}
