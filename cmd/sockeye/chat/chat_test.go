package chat_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/cmd/sockeye/chat"
	"sockeye/internal/leak"
	"sockeye/kernel"
	"sockeye/lab"
	"sockeye/link"
)

// A world is where a server and its members are.
type world struct {
	t       testing.TB
	server  *sockeye.Host
	members []*sockeye.Host // each member is at one of them
	net     *lab.Network    // nil: the kernel's loopback
	links   []*lab.Link     // of the members' hosts, to the switch in the middle
	serves  *lab.Host
	at      string // where the server listens
	tls     bool   // it speaks TLS
	stop    func()

	mu   sync.Mutex
	next int
}

// far is how the hosts of a lab are joined.
var far = link.Faults{Delay: 20 * time.Millisecond, Jitter: 2 * time.Millisecond}

// everyEngine runs a test on the kernel's sockets, and in virtual time on those of hosts in a lab.
func everyEngine(t *testing.T, o chat.Options, test func(w *world)) {
	onEngines(t, far, o, test)
}

// everyEngineNear is everyEngine with hosts that nothing keeps apart.
func everyEngineNear(t *testing.T, o chat.Options, test func(w *world)) {
	onEngines(t, link.Faults{}, o, test)
}

func onEngines(t *testing.T, faults link.Faults, o chat.Options, test func(w *world)) {
	t.Run("kernel", func(t *testing.T) {
		leak.Check(t)
		h := kernel.Host()
		w := &world{t: t, server: h, members: []*sockeye.Host{h}, at: "127.0.0.1:0"}
		w.serve(o)
		defer w.stop()
		test(w)
	})
	t.Run("lab", func(t *testing.T) { inLab(t, 3, faults, o, test) })
}

// inLab runs a test on so many hosts of members and one of a server, all on one switch.
func inLab(t *testing.T, hosts int, faults link.Faults, o chat.Options, test func(w *world)) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		w := &world{t: t, net: n, at: "server:7000"}
		middle := n.Switch("middle")
		w.serves = n.Host("server")
		n.Link(w.serves, middle)
		var all []*lab.Host
		for i := range hosts {
			h := n.Host(fmt.Sprint("host", i))
			all = append(all, h)
			w.links = append(w.links, n.Link(h, middle, faults))
		}
		for _, h := range all {
			w.members = append(w.members, h.Sockets())
		}
		w.server = w.serves.Sockets()
		w.serve(o)
		defer w.stop()
		test(w)
	})
}

// serve runs the server until stop.
func (w *world) serve(o chat.Options) {
	w.t.Helper()
	at := w.at
	if w.net != nil {
		at = ":7000"
	}
	l, err := w.server.Listen("tcp", at)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.net == nil {
		w.at = l.Addr().String()
	}
	w.tls = o.TLS != nil
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- chat.Serve(ctx, l, o) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, net.ErrClosed) {
			w.t.Errorf("the server ended with %v", err)
		}
	})
}

// A guest is a member as a program with plain lines has it.
type guest struct {
	t    testing.TB
	name string
	conn net.Conn
	raw  net.Conn // conn, or what TLS is spoken on
	r    *bufio.Reader
}

// connect connects somebody who gives no name.
func (w *world) connect() *guest {
	w.t.Helper()
	w.mu.Lock()
	h := w.members[w.next%len(w.members)]
	w.next++
	w.mu.Unlock()
	conn, err := h.Dial("tcp", w.at)
	if err != nil {
		w.t.Fatal(err)
	}
	raw := conn
	if w.tls {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	w.t.Cleanup(func() { conn.Close() })
	patience := 30 * time.Second // with what never comes
	if w.net != nil {
		patience *= 20 // of virtual time
	}
	conn.SetReadDeadline(time.Now().Add(patience))
	return &guest{t: w.t, conn: conn, raw: raw, r: bufio.NewReaderSize(conn, 4<<10)}
}

// join connects somebody with a name, in a room.
func (w *world) join(name, room string) *guest {
	w.t.Helper()
	g := w.connect()
	g.name = name
	g.say("/name " + name + " " + room)
	g.await("* you are " + name)
	return g
}

// narrow makes what the guest's socket holds for it small.
func (g *guest) narrow() *guest {
	if err := sockeye.SO_RCVBUF.Set(g.raw.(*sockeye.TCPConn).Socket(), 16<<10); err != nil {
		g.t.Fatal(err)
	}
	return g
}

func (g *guest) say(lines ...string) {
	g.t.Helper()
	if _, err := io.WriteString(g.conn, strings.Join(lines, "\n")+"\n"); err != nil {
		g.t.Fatalf("%s says %.100q: %v", g.name, lines, err)
	}
}

func (g *guest) line() string {
	g.t.Helper()
	line, err := g.r.ReadString('\n')
	if err != nil {
		g.t.Fatalf("%s reads: %v after %q", g.name, err, line)
	}
	return strings.TrimSuffix(line, "\n")
}

// await reads up to a line that begins so, and gives it.
func (g *guest) await(prefix string) string {
	g.t.Helper()
	for before := []string{}; ; {
		line, err := g.r.ReadString('\n')
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSuffix(line, "\n")
		}
		if err != nil {
			g.t.Fatalf("%s awaits %q: %v after %q", g.name, prefix, err, before)
		}
		before = append(before, strings.TrimSuffix(line, "\n"))
	}
}

// hears checks which lines come next.
func (g *guest) hears(lines ...string) {
	g.t.Helper()
	for _, want := range lines {
		if got := g.line(); got != want {
			g.t.Fatalf("%s hears %q, want %q", g.name, got, want)
		}
	}
}

// rest reads to the end, and gives the last line.
func (g *guest) rest() (last string) {
	g.t.Helper()
	defer g.conn.Close()
	for {
		line, err := g.r.ReadString('\n')
		if line != "" {
			last = strings.TrimSuffix(line, "\n")
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				g.t.Errorf("%s reads to the end: %v", g.name, err)
			}
			return last
		}
	}
}

// withTLS is a server's options with a certificate that nobody vouches for.
func withTLS(t *testing.T, o chat.Options) chat.Options {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	o.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return o
}

func TestASession(t *testing.T) {
	everyEngine(t, chat.Options{Title: "test"}, func(w *world) {
		ann := w.connect()
		ann.name = "ann"
		ann.hears("* test: /name NAME tells who you are, /help the rest")
		ann.say("hello?")
		ann.hears("! say who you are first: /name NAME")
		ann.say("/name ann")
		ann.hears("* you are ann", "[lobby] * 1 is here: ann")
		ann.say("hello", "//bin is a path")
		ann.hears("[lobby] ann: hello", "[lobby] ann: /bin is a path")

		bob := w.join("bob", "")
		bob.hears("[lobby] * 2 are here: ann, bob")
		for _, text := range []string{"hello", "/bin is a path"} {
			if got := bob.line(); !strings.HasPrefix(got, "[lobby] ") || !strings.HasSuffix(got, " ann: "+text) || len(got) != len("[lobby] 16:04 ann: ")+len(text) {
				t.Errorf("the history has %q", got)
			}
		}
		ann.hears("[lobby] * bob is here")
		bob.say("hi ann", "/msg ANN psst")
		bob.hears("[lobby] bob: hi ann", "[bob -> ann] psst")
		ann.hears("[lobby] bob: hi ann", "[bob -> ann] psst")

		bob.say("/join dev")
		bob.hears("[dev] * 1 is here: bob")
		bob.say("nobody hears this", "/rooms", "/who lobby", "/join lobby", "back")
		bob.hears("[dev] bob: nobody hears this", "* 2 rooms", "* [lobby] 2 are there", "* [dev] 1 is there", "[lobby] * 2 are here: ann, bob",
			"[lobby] * 2 are here: ann, bob", "[lobby] bob: back")
		ann.hears("[lobby] bob: back")

		ann.say("/name 앤")
		ann.hears("* you are 앤", "[lobby] * ann is now 앤")
		bob.hears("[lobby] * ann is now 앤")
		bob.say("/leave dev", "/leave", "/who", "/quit")
		bob.hears("[dev] * bob left", "[lobby] * bob left", "! you are in no room: /join lobby enters one", "* bye")
		if _, err := bob.r.ReadByte(); err != io.EOF {
			t.Errorf("after bye there is %v", err)
		}
		bob.conn.Close()
		ann.hears("[lobby] * bob left")
		w.stop()
		ann.hears("* the server is closing")
	})
}
