package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEchoSendsBackWhatComes(t *testing.T) {
	t.Parallel()
	for name, at := range connectionAddresses(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := run(t, "echo", "--log", at)
			to := e.listening()
			for range 3 {
				c := run(t, "connect", to)
				c.write("hello")
				c.out.await(t, "hello")
				c.closeInput()
				c.ends(0, "hello")
				e.err.await(t, "closed: 5 bytes received, 5 sent\n")
			}
			e.signal(os.Interrupt)
			e.ends(0, "")
			if path, ok := strings.CutPrefix(at, "unix:/"); ok {
				if _, err := os.Lstat("/" + path); !os.IsNotExist(err) {
					t.Errorf("the path %s is still there: %v", path, err)
				}
			}
		})
	}
	for name, at := range datagramAddresses(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := run(t, "echo", at)
			to := e.listening()
			var peers []*process
			for i := range 4 {
				c := run(t, "connect", "--wait", "1h", to)
				c.write(fmt.Sprintf("hello from %d", i))
				peers = append(peers, c)
			}
			for i, c := range peers {
				c.out.await(t, fmt.Sprintf("hello from %d", i))
				if n := len(c.out.text()); n != len("hello from 0") {
					t.Errorf("peer %d got %q", i, c.out.text())
				}
			}
			e.signal(os.Interrupt)
			e.ends(0, "")
		})
	}
}

func TestRelayJoinsAnyKindsThatConnect(t *testing.T) {
	t.Parallel()
	for from := range connectionAddresses(t) {
		for to := range connectionAddresses(t) {
			if (from == "unixpacket") != (to == "unixpacket") {
				continue // what a record of a stream would be is in package relay's tests
			}
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				l := run(t, "listen", connectionAddresses(t)[to])
				r := run(t, "relay", "--log", connectionAddresses(t)[from], l.listening())
				c := run(t, "connect", r.listening())
				converse(t, c, l)
				r.err.await(t, "connected to ")
				r.err.await(t, "closed: 8 bytes received, 6 sent\n")
				r.signal(os.Interrupt)
				r.ends(0, "")
			})
		}
	}
}

func TestRelayCarriesDatagrams(t *testing.T) {
	t.Parallel()
	e := run(t, "echo", "udp://127.0.0.1:0")
	r := run(t, "relay", "unixgram:"+filepath.Join(t.TempDir(), "g"), e.listening())
	to := r.listening()
	for i := range 3 {
		c := run(t, "connect", "--wait", "1h", to)
		c.write(fmt.Sprintf("hello from %d", i))
		c.out.await(t, fmt.Sprintf("hello from %d", i))
	}
	r.signal(os.Interrupt)
	r.ends(0, "")
}

func TestRelayTellsThatItsTargetRefuses(t *testing.T) {
	t.Parallel()
	l, at := tcpServer(t)
	l.Close()
	r := run(t, "relay", "127.0.0.1:0", at)
	c := run(t, "connect", r.listening()).closeInput()
	c.status()
	r.err.await(t, "connect to tcp://"+at+": connection refused: nobody listens there\n")
}

func TestServicesRefuseBadInput(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, line string }{
		{"echo", "sockeye echo wants ADDR; try sockeye echo 7777"},
		{"relay 1", "sockeye relay wants TARGET; try sockeye relay 8080 localhost:80"},
		{"relay 1 udp://localhost:2", "one of tcp://:1 and udp://localhost:2 makes connections and the other does not; choose two of a kind"},
		{"relay 1 localhost:0", `address "tcp://localhost:0": nobody can be reached at port 0: ports go from 1 to 65535`},
		{"echo ip://localhost/89", "echo is for streams, datagrams and records, and ip://localhost/89 is a raw socket"},
		{"echo --force 1", "--force takes over the path of a unix socket, and tcp://:1 has none"},
		{"relay --timeout -1s 1 localhost:2", "--timeout is a time to wait, and can't be negative"},
	} {
		run(t, strings.Fields(c.args)...).fails(2, c.line)
	}
	run(t, "relay", "0", "no.such.host.invalid:1").fails(1, `relay to tcp://no.such.host.invalid:1: unknown host "no.such.host.invalid"`)
}
