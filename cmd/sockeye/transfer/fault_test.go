package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/cmd/sockeye/transfer"
	"sockeye/lab"
	"sockeye/link"
)

// aLab is a pair of hosts with a wire of 8 Mbit/s between them.
func aLab(t *testing.T) *pair {
	n := lab.New(t)
	a, b := n.Host("a"), n.Host("b")
	wire := n.Link(a, b, link.Faults{Delay: 5 * time.Millisecond, Rate: 8e6})
	l := b.MustListen("tcp", ":7000")
	t.Cleanup(func() { l.Close() })
	return &pair{l: l, link: wire, receiver: b, dial: func() (net.Conn, error) { return a.Dial("tcp", "b:7000") }}
}

func TestAPartitionInTheMiddle(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lasts time.Duration
		cut   bool
	}{
		{"that passes is waited for", 20 * time.Second, false},
		{"that does not ends the transfer, and the next goes on at its byte", 3 * time.Minute, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := aLab(t)
				from, to := t.TempDir(), t.TempDir()
				content := noise(4 << 20)
				path := write(t, from, "big", content)
				parted := make(chan struct{})
				o := p.transfer(t, try{paths: []string{path}, to: to, progress: func(n int64) {
					if n >= 2<<20 && parted != nil {
						close(parted)
						parted = nil
						p.link.Cut()
						time.AfterFunc(tt.lasts, p.link.Mend)
					}
				}})
				if !tt.cut {
					o.well(t)
				} else {
					if o.sendErr == nil || !errors.Is(o.receiveErr, os.ErrDeadlineExceeded) {
						t.Fatalf("it ended with %v and %v", o.sendErr, o.receiveErr)
					}
					time.Sleep(tt.lasts) // of the lab's time: until the wire is whole again
					o = p.transfer(t, try{paths: []string{path}, to: to}).well(t)
					if got := o.state(t, "big"); got.From < 2<<20 || got.From >= 4<<20 {
						t.Errorf("it went on from %d", got.From)
					}
				}
				if got, _ := os.ReadFile(filepath.Join(to, "big")); !bytes.Equal(got, content) {
					t.Errorf("it is another file")
				}
			})
		})
	}
}

func TestACrashedReceiverIsTakenUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := aLab(t)
		from, to := t.TempDir(), t.TempDir()
		content := noise(4 << 20)
		path := write(t, from, "big", content)
		crashed := false
		o := p.transfer(t, try{paths: []string{path}, to: to, progress: func(n int64) {
			if n >= 2<<20 && !crashed {
				crashed = true
				p.receiver.Restart() // the first half of which is a crash
				p.l = p.receiver.MustListen("tcp", ":7000")
			}
		}})
		if o.sendErr == nil || o.receiveErr == nil {
			t.Fatalf("it ended with %v and %v", o.sendErr, o.receiveErr)
		}
		o = p.transfer(t, try{paths: []string{path}, to: to}).well(t)
		if got := o.state(t, "big"); got.From < 2<<20 || got.From >= 4<<20 {
			t.Errorf("it went on from %d", got.From)
		}
		if got, _ := os.ReadFile(filepath.Join(to, "big")); !bytes.Equal(got, content) {
			t.Errorf("it is another file")
		}
		p.l.Close()
	})
}

// A speaker is a peer that speaks for itself.
type speaker struct{ net.Conn }

func (s speaker) frames(frames ...string) {
	for _, f := range frames {
		s.Write(append([]byte{0, 0, byte(len(f) >> 8), byte(len(f))}, f...))
	}
}

const hello = `{"kind":"hello","version":1}`

func TestHostileSendersGetNothingDone(t *testing.T) {
	offer := func(name, rest string) string {
		return `{"kind":"offer","id":1,"name":"` + name + `",` + rest + `}`
	}
	const file, end = `"type":"file","size":3`, `{"kind":"end"}`
	for _, tt := range []struct {
		name   string
		frames []string
		raw    string
		err    string // of the receiver; "": none
		why    string // of the result
	}{
		{"a name with dots", []string{hello, offer("Li4vZXNjYXBl", file), end}, "", "", "its name leads out of the folder"},                   // ../escape
		{"an absolute name", []string{hello, offer("L2V0Yy9lc2NhcGU=", file), end}, "", "", "its name leads out of the folder"},               // /etc/escape
		{"dots in the middle", []string{hello, offer("YS8uLi8uLi9i", file), end}, "", "", "its name leads out of the folder"},                 // a/../../b
		{"no name", []string{hello, offer("", file), end}, "", "", "that is no name for a file"},                                              //
		{"a zero byte", []string{hello, offer("YQBi", file), end}, "", "", "that is no name for a file"},                                      // a\0b
		{"a name behind a link that leads out", []string{hello, offer("b3V0L2Y=", file), end}, "", "", "path escapes from parent"},            // out/f
		{"a link that leads out", []string{hello, offer("bA==", `"type":"link","target":"Li4veA=="`), end}, "", "", "leads out"},              // ../x
		{"an absolute link", []string{hello, offer("bA==", `"type":"link","target":"L2V0Yw=="`), end}, "", "", "leads out"},                   // /etc
		{"a link with dots behind a name", []string{hello, offer("bA==", `"type":"link","target":"aW4vLi4veA=="`), end}, "", "", "leads out"}, // in/../x
		{"a link behind a link", []string{hello, offer("aW4vbA==", `"type":"link","target":"eA=="`), end}, "", "", "behind a link"},           // in/l
		{"a pipe", []string{hello, offer("cA==", `"type":"pipe"`)}, "", `it offers a "pipe"`, ""},
		{"a negative size", []string{hello, offer("YQ==", `"type":"file","size":-1`)}, "", "a file of -1 bytes", ""},
		{"data of nothing", []string{hello, `{"kind":"data","id":7,"length":5}`}, "", "which was not offered", ""},
		{"data before the start", []string{hello, offer("YQ==", file), `{"kind":"data","id":1,"length":3}`}, "", `"data" does not follow`, ""},
		{"data behind the end", []string{hello, offer("YQ==", file), `{"kind":"start","id":1}`, `{"kind":"data","id":1,"offset":1,"length":3}`}, "", "3 bytes at 1 of a file of 3", ""},
		{"data of a huge length", []string{hello, offer("YQ==", file), `{"kind":"start","id":1}`, `{"kind":"data","id":1,"length":1000000000}`}, "", "1000000000 bytes at 0", ""},
		{"a start in the dark", []string{hello, offer("YQ==", file), `{"kind":"start","id":1,"offset":2}`}, "", "it starts at 2, and 0 bytes are there", ""},
		{"a wrong checksum", []string{hello, offer("YQ==", `"type":"file","size":0`), `{"kind":"start","id":1}`, `{"kind":"whole","id":1,"sum":"AAAA"}`, end}, "", "", "the checksums differ"},
		{"an end before the end", []string{hello, offer("YQ==", file), end}, "", "it ends before 1 files", ""},
		{"another version", []string{`{"kind":"hello","version":9}`}, "", "version 9", ""},
		{"another protocol", nil, "GET / HTTP/1.1\r\n\r\n", "does not speak this protocol", ""},
		{"TLS", nil, "\x16\x03\x01\x02\x00", "it speaks TLS", ""},
		{"a huge frame", nil, "\x7f\xff\xff\xff{", "over 16384", ""},
		{"no JSON", []string{"hello"}, "", "a frame is not what it should be", ""},
		{"half a frame", nil, "\x00\x00\x00\x20{\"kind\":", "cut before the end", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, p *pair) {
				around := t.TempDir()
				to := filepath.Join(around, "to")
				os.Mkdir(to, 0o755)
				os.Mkdir(filepath.Join(around, "elsewhere"), 0o755)
				os.Mkdir(filepath.Join(to, "sub"), 0o755)
				os.Symlink("../elsewhere", filepath.Join(to, "out"))
				os.Symlink("sub", filepath.Join(to, "in"))
				before := tree(t, around)
				c, err := p.dial()
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					speaker{c}.frames(tt.frames...)
					io.WriteString(c, tt.raw)
					c.(interface{ CloseWrite() error }).CloseWrite()
					io.Copy(io.Discard, c)
					c.Close()
				}()
				root, err := os.OpenRoot(to)
				if err != nil {
					t.Fatal(err)
				}
				defer root.Close()
				in, err := p.l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				var got []transfer.Result
				err = transfer.Receiver{Root: root, Result: func(r transfer.Result) { got = append(got, r) }}.Receive(context.Background(), in)
				if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
					t.Errorf("it ended with %v, want %q", err, tt.err)
				}
				if tt.why != "" && (len(got) != 1 || got[0].State != transfer.Failed || !strings.Contains(got[0].Why, tt.why)) {
					t.Errorf("it went %+v, want %q", got, tt.why)
				}
				if after := tree(t, around); withoutTimes(after) != withoutTimes(before) {
					t.Errorf("there is\n%s\nand there was\n%s", after, before)
				}
			})
		})
	}
}

// withoutTimes is a tree without the last word of its lines, which the times of folders are.
func withoutTimes(tree string) string {
	lines := strings.Split(tree, "\n")
	for i, l := range lines {
		lines[i] = l[:max(strings.LastIndexByte(l, ' '), 0)]
	}
	return strings.Join(lines, "\n")
}

func TestAPeerThatDoesNothingIsGivenUp(t *testing.T) {
	for _, tt := range []struct {
		name string
		says []string
	}{
		{"silent from the beginning", nil},
		{"silent after its hello", []string{hello}},
	} {
		for side, serve := range map[string]func(net.Conn, string) error{
			"receiver": func(c net.Conn, dir string) error {
				root, err := os.OpenRoot(dir)
				if err != nil {
					return err
				}
				defer root.Close()
				return transfer.Receiver{Root: root}.Receive(context.Background(), c)
			},
			"sender": func(c net.Conn, dir string) error {
				os.WriteFile(filepath.Join(dir, "f"), noise(10<<20), 0o644)
				sources, err := transfer.Sources(dir)
				if err != nil {
					return err
				}
				return transfer.Sender{}.Send(context.Background(), c, sources)
			},
		} {
			t.Run(side+" of a peer "+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := aLab(t)
					c, err := p.dial()
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					speaker{c}.frames(tt.says...)
					in, err := p.l.Accept()
					if err != nil {
						t.Fatal(err)
					}
					if err := serve(in, t.TempDir()); !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("it ended with %v", err)
					}
				})
			})
		}
	}
}

// inside is set where a test may mount what it wants.
const inside = "TRANSFER_TEST_INSIDE"

func TestAFullDiskLosesNothingElse(t *testing.T) {
	if os.Getenv(inside) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestAFullDiskLosesNothingElse$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestAFullDiskLosesNothingElse/lab") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	onBothEngines(t, func(t *testing.T, p *pair) {
		from, to := t.TempDir(), t.TempDir()
		if err := syscall.Mount("tmpfs", to, "tmpfs", 0, "size=2m"); err != nil {
			t.Fatal(err)
		}
		defer syscall.Unmount(to, syscall.MNT_DETACH)
		big := write(t, from, "big", noise(6<<20))
		dir := filepath.Join(from, "dir")
		write(t, dir, "sub/empty", nil)
		write(t, to, "mine", []byte("mine"))
		o := p.transfer(t, try{paths: []string{big, dir}, to: to}).well(t)
		if got := o.state(t, "big"); got.State != transfer.Failed || got.Why != "the disk is full" {
			t.Errorf("it went %+v", got)
		}
		if got := o.state(t, "dir/sub/empty"); got.State != transfer.Stored {
			t.Errorf("what is behind it went %+v", got)
		}
		if got, _ := os.ReadFile(filepath.Join(to, "mine")); string(got) != "mine" {
			t.Errorf("what was there is %q", got)
		}
		// Somebody makes room, and it goes on.
		parts, _ := filepath.Glob(filepath.Join(to, ".big.part-*"))
		if len(parts) != 1 {
			t.Fatalf("there is %v", parts)
		}
		info, err := os.Stat(parts[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", to, "tmpfs", syscall.MS_REMOUNT, "size=20m"); err != nil {
			t.Fatal(err)
		}
		o = p.transfer(t, try{paths: []string{big}, to: to}).well(t)
		if got := o.state(t, "big"); got.State != transfer.Stored || got.From != info.Size() || got.From == 0 {
			t.Errorf("it went on as %+v, and %d bytes were there", got, info.Size())
		}
	})
}
