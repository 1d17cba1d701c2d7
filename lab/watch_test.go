package lab_test

import (
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/internal/leak"
	"sockeye/lab"
	"sockeye/link"
)

// hangs are tests that hang, each in a process of its own that says so in this variable.
const hanging = "LAB_TEST_HANGS"

var hangs = map[string]struct {
	run  func(t *testing.T)
	want []string // in what it prints
}{
	"a bubble in which nothing is left to happen": {
		func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := lab.New(t)
				alice, bob := n.Host("alice"), n.Host("bob")
				n.Link(alice, bob)
				c, _ := alice.Dial("udp", "bob:7")
				r, _ := bob.ListenPacket("udp", ":8")
				io.WriteString(c, "to the wrong port")
				r.ReadFrom(make([]byte, 1))
			})
		},
		[]string{"nothing has happened for 24h0m0s on the network of TestHangs", "CONNECTED", "[::]:8", "alice-bob", "17 bytes", "deadlock"},
	},
	"a bubble in which keepalive probes go on for ever": {
		func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := lab.New(t)
				alice, bob := n.Host("alice"), n.Host("bob")
				n.Link(alice, bob, link.Faults{Delay: time.Millisecond})
				bob.MustListen("tcp", ":7")
				c, _ := alice.Dial("tcp", "bob:7")
				c.Read(make([]byte, 1))
			})
		},
		[]string{"TestHangs still runs", "ESTABLISHED", "alice-bob", "probe"},
	},
	"real time": {
		func(t *testing.T) {
			n := lab.New(t)
			alice, bob := n.Host("alice"), n.Host("bob")
			l := n.Link(alice, bob)
			bob.MustListen("tcp", ":7")
			c, _ := alice.Dial("tcp", "bob:7")
			l.Set(link.Faults{Delay: time.Hour})
			io.WriteString(c, "unheard")
			c.Read(make([]byte, 1))
		},
		[]string{"TestHangs still runs", "ESTABLISHED", "ON ITS WAY", "1:8 ack 1", "······"},
	},
}

// TestHangs is run by the test below.
func TestHangs(t *testing.T) {
	leak.Check(t)
	if h, ok := hangs[os.Getenv(hanging)]; ok {
		h.run(t)
	}
}

func TestATestThatHangsTellsOfItsNetwork(t *testing.T) {
	leak.Check(t)
	for name, h := range hangs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestHangs$", "-test.timeout=8s")
			cmd.Env = append(os.Environ(), hanging+"="+name)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd.Stdout, cmd.Stderr = w, w
			err = cmd.Start()
			w.Close()
			if err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer cmd.Process.Kill()
			var out strings.Builder
			missing := append(h.want, lab.SeedVariable)
			for buf := make([]byte, 1<<16); len(missing) > 0; {
				k, err := r.Read(buf)
				out.Write(buf[:k])
				missing = slices.DeleteFunc(missing, func(want string) bool { return strings.Contains(out.String(), want) })
				if err != nil {
					break
				}
			}
			if len(missing) > 0 {
				t.Errorf("no %q in\n%.6000s", missing, out.String())
			}
		})
	}
}
