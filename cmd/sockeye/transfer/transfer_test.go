package transfer_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/cmd/sockeye/transfer"
	"sockeye/kernel"
	"sockeye/lab"
	"sockeye/link"
)

// A pair is a receiver and where to send to it.
type pair struct {
	l        net.Listener
	dial     func() (net.Conn, error)
	link     *lab.Link // nil on the kernel
	receiver *lab.Host // where a test needs it
}

// onBothEngines runs f with the kernel's sockets, and with those of two hosts in a lab that lose a packet in twenty.
func onBothEngines(t *testing.T, f func(t *testing.T, p *pair)) {
	t.Run("kernel", func(t *testing.T) {
		t.Parallel()
		h := kernel.Host()
		l, err := h.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f(t, &pair{l: l, dial: func() (net.Conn, error) { return h.Dial("tcp", l.Addr().String()) }})
	})
	t.Run("lab", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := lab.New(t)
			a, b := n.Host("a"), n.Host("b")
			wire := n.Link(a, b, link.Faults{Delay: 5 * time.Millisecond, Loss: 0.05})
			l := b.MustListen("tcp", ":7000")
			defer l.Close()
			f(t, &pair{l: l, link: wire, dial: func() (net.Conn, error) { return a.Dial("tcp", "b:7000") }})
		})
	})
}

// An outcome is how a transfer went, by what each side was told.
type outcome struct {
	sent, received          []transfer.Result
	sendErr, receiveErr     error
	progress, progressThere int64
	total                   int64
}

// state is how it went with a name, which both sides have to agree on.
func (o *outcome) state(t *testing.T, name string) transfer.Result {
	t.Helper()
	find := func(r transfer.Result) bool { return r.Name == name }
	i, j := slices.IndexFunc(o.sent, find), slices.IndexFunc(o.received, find)
	if i < 0 || j < 0 {
		t.Fatalf("nothing was told of %q: %+v %+v", name, o.sent, o.received)
	}
	if o.sent[i] != o.received[j] {
		t.Errorf("the sender was told %+v, and the receiver %+v", o.sent[i], o.received[j])
	}
	return o.received[j]
}

// A try is one transfer of paths into a folder.
type try struct {
	paths    []string
	to       string
	onClash  transfer.OnClash
	progress func(int64) // of the receiver, in sum
	wrap     func(net.Conn) net.Conn
}

func (p *pair) transfer(t *testing.T, y try) *outcome {
	t.Helper()
	sources, err := transfer.Sources(y.paths...)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(y.to)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	o := new(outcome)
	var wg sync.WaitGroup
	wg.Go(func() {
		c, err := p.l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		o.receiveErr = transfer.Receiver{
			Root: root, OnClash: y.onClash,
			Total:  func(_ int, bytes int64) { o.total = bytes },
			Result: func(r transfer.Result) { o.received = append(o.received, r) },
			Progress: func(n int64) {
				o.progressThere += n
				if y.progress != nil {
					y.progress(o.progressThere)
				}
			},
		}.Receive(context.Background(), c)
	})
	c, err := p.dial()
	if err != nil {
		t.Fatal(err)
	}
	if y.wrap != nil {
		c = y.wrap(c)
	}
	o.sendErr = transfer.Sender{
		Result:   func(r transfer.Result) { o.sent = append(o.sent, r) },
		Progress: func(n int64) { o.progress += n },
	}.Send(context.Background(), c, sources)
	wg.Wait()
	return o
}

// well checks that a transfer came to its end, and that progress was told as much as there is.
func (o *outcome) well(t *testing.T) *outcome {
	t.Helper()
	if o.sendErr != nil || o.receiveErr != nil {
		t.Fatalf("the transfer ended with %v, and %v at the receiver", o.sendErr, o.receiveErr)
	}
	if o.progress != o.total {
		t.Errorf("the sender's progress was %d of %d bytes", o.progress, o.total)
	}
	return o
}

func write(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	os.MkdirAll(filepath.Dir(path), 0o755)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// noise is content that is its own.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// tree lists what is in a folder: permissions, time, and content or target.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		fmt.Fprintf(&b, "%q %v ", name, info.Mode())
		switch e.Type() {
		case 0:
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%v %q", info.ModTime().UnixNano(), content)
		case fs.ModeSymlink:
			target, _ := os.Readlink(path)
			fmt.Fprintf(&b, "-> %s", target)
		default:
			fmt.Fprintf(&b, "%v", info.ModTime().UnixNano())
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAFolderArrivesAsItWas(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *pair) {
		from, to := t.TempDir(), t.TempDir()
		f := filepath.Join(from, "f")
		for name, n := range map[string]int{"empty": 0, "small": 5, "odd \n\xff name": 10, "sub/a block": 1 << 20, "sub/more": 2<<20 + 17, "closed/in": 3} {
			write(t, f, name, noise(n))
		}
		for i := range 300 {
			write(t, f, fmt.Sprintf("many/%d", i), noise(i))
		}
		os.Symlink("small", filepath.Join(f, "link"))
		os.Symlink("../small", filepath.Join(f, "sub/up"))
		old := time.Unix(1_000_000_000, 123_456_789)
		os.Chmod(filepath.Join(f, "small"), 0o751)
		os.Chtimes(filepath.Join(f, "small"), old, old)
		os.Chmod(filepath.Join(f, "closed"), 0o555)
		os.Chtimes(filepath.Join(f, "sub"), old, old)
		t.Cleanup(func() {
			os.Chmod(filepath.Join(f, "closed"), 0o755)
			os.Chmod(filepath.Join(to, "f/closed"), 0o755)
		})
		o := p.transfer(t, try{paths: []string{f}, to: to}).well(t)
		if got, want := tree(t, to), tree(t, from); got != want {
			t.Errorf("there is\n%.2000s\nwant\n%.2000s", got, want)
		}
		if got := o.state(t, "f/small"); got.State != transfer.Stored {
			t.Errorf("it went %+v", got)
		}
		// Once more, and nothing has to be sent.
		again := p.transfer(t, try{paths: []string{f}, to: to}).well(t)
		for _, r := range again.received {
			if r.State != transfer.Same {
				t.Errorf("the second time: %+v", r)
			}
		}
		if got, want := tree(t, to), tree(t, from); got != want {
			t.Errorf("after the second time there is\n%.2000s\nwant\n%.2000s", got, want)
		}
	})
}

func TestHolesStayHoles(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *pair) {
		from, to := t.TempDir(), t.TempDir()
		path := filepath.Join(from, "sparse")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		const size = 1 << 40
		f.Truncate(size)
		marks := map[int64]string{0: "first", 7<<20 + 5: "second", 1<<39 - 2: "over a border", size - 4: "last"}
		for at, text := range marks {
			f.WriteAt([]byte(text), at)
		}
		f.Close()
		p.transfer(t, try{paths: []string{path}, to: to}).well(t)
		g, err := os.Open(filepath.Join(to, "sparse"))
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		for at, text := range marks {
			b := make([]byte, len(text))
			if g.ReadAt(b, at); string(b) != text {
				t.Errorf("at %d there is %q, want %q", at, b, text)
			}
		}
		info, _ := g.Stat()
		if blocks := info.Sys().(*syscall.Stat_t).Blocks; info.Size() != size || blocks > 1000 {
			t.Errorf("%d bytes take %d sectors", info.Size(), blocks)
		}
	})
}

func TestWhatHasTheNameStays(t *testing.T) {
	for _, tt := range []struct {
		name    string
		there   string
		onClash transfer.OnClash
		state   transfer.State
		as      string
		after   map[string]string
	}{
		{"the same content", "new", transfer.Leave, transfer.Same, "", map[string]string{"a.txt": "new"}},
		{"another one of the same size", "old", transfer.Leave, transfer.Clash, "", map[string]string{"a.txt": "old"}},
		{"one of another size", "older", transfer.Leave, transfer.Clash, "", map[string]string{"a.txt": "older"}},
		{"replaced", "older", transfer.Replace, transfer.Stored, "", map[string]string{"a.txt": "new"}},
		{"replaced at the same size", "old", transfer.Replace, transfer.Stored, "", map[string]string{"a.txt": "new"}},
		{"beside it", "older", transfer.Rename, transfer.Stored, "a (1).txt", map[string]string{"a.txt": "older", "a (1).txt": "new"}},
		{"beside it at the same size", "old", transfer.Rename, transfer.Stored, "a (1).txt", map[string]string{"a.txt": "old", "a (1).txt": "new"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, p *pair) {
				from, to := t.TempDir(), t.TempDir()
				write(t, to, "a.txt", []byte(tt.there))
				b := write(t, from, "b", []byte("after it"))
				a := write(t, from, "a.txt", []byte("new"))
				o := p.transfer(t, try{paths: []string{a, b}, to: to, onClash: tt.onClash}).well(t)
				if got := o.state(t, "a.txt"); got.State != tt.state || got.As != tt.as {
					t.Errorf("it went %+v", got)
				}
				after := maps.Clone(tt.after)
				after["b"] = "after it"
				for name, want := range after {
					if got, _ := os.ReadFile(filepath.Join(to, name)); string(got) != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
				if list, _ := os.ReadDir(to); len(list) != len(after) {
					t.Errorf("there is %v", list)
				}
			})
		})
	}
}

func TestACutTransferGoesOnAtItsByte(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *pair) {
		from, to := t.TempDir(), t.TempDir()
		content := noise(5<<20 + 99)
		path := write(t, from, "big", content)
		// The wire breaks behind a byte that is no border of anything.
		const limit = 3<<20 + 12345
		o := p.transfer(t, try{paths: []string{path}, to: to, wrap: func(c net.Conn) net.Conn { return &shortConn{Conn: c, left: limit} }})
		if o.sendErr == nil || o.receiveErr == nil {
			t.Fatalf("it ended with %v and %v", o.sendErr, o.receiveErr)
		}
		parts, _ := filepath.Glob(filepath.Join(to, ".big.part-*"))
		if len(parts) != 1 {
			t.Fatalf("there is %v", parts)
		}
		left, err := os.ReadFile(parts[0])
		if err != nil || !bytes.HasPrefix(content, left) || len(left) < 2<<20 || len(left) >= limit {
			t.Fatalf("%d bytes are left of it, of %d that went (%v)", len(left), limit, err)
		}
		o = p.transfer(t, try{paths: []string{path}, to: to}).well(t)
		if got := o.state(t, "big"); got.From != int64(len(left)) || got.State != transfer.Stored {
			t.Errorf("it went %+v, want from %d", got, len(left))
		}
		if got, _ := os.ReadFile(filepath.Join(to, "big")); !bytes.Equal(got, content) {
			t.Errorf("it is another file")
		}
		if list, _ := os.ReadDir(to); len(list) != 1 {
			t.Errorf("there is %v", list)
		}
	})
}

// A shortConn is cut behind some bytes.
type shortConn struct {
	net.Conn
	left int
}

func (c *shortConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p[:min(len(p), c.left)])
	if c.left -= n; c.left == 0 && err == nil {
		c.Conn.Close()
		err = net.ErrClosed
	}
	return n, err
}

func TestADamagedBeginningIsSentAgain(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *pair) {
		from, to := t.TempDir(), t.TempDir()
		content := noise(3 << 20)
		path := write(t, from, "big", content)
		p.transfer(t, try{paths: []string{path}, to: to, wrap: func(c net.Conn) net.Conn { return &shortConn{Conn: c, left: 2 << 20} }})
		parts, _ := filepath.Glob(filepath.Join(to, ".big.part-*"))
		if len(parts) != 1 {
			t.Fatalf("there is %v", parts)
		}
		f, err := os.OpenFile(parts[0], os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteAt([]byte{content[1000] + 1}, 1000)
		f.Close()
		o := p.transfer(t, try{paths: []string{path}, to: to}).well(t)
		if got := o.state(t, "big"); got.From != 0 || got.State != transfer.Stored {
			t.Errorf("it went %+v", got)
		}
		if got, _ := os.ReadFile(filepath.Join(to, "big")); !bytes.Equal(got, content) {
			t.Errorf("it is another file")
		}
	})
}
