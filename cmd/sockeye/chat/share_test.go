package chat_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"sockeye"
	"sockeye/cmd/sockeye/chat"
	"sockeye/internal/leak"
	"sockeye/kernel"
	"sockeye/lab"
)

// A cluster is chat servers that share rooms. As a world it has one server at a time, which use chooses.
type cluster struct {
	*world
	ats   []string
	stops []func()

	hosts  []*lab.Host // of the servers
	broker *lab.Host
}

// use makes those who join do so at a server.
func (c *cluster) use(i int) *cluster {
	c.at = c.ats[i]
	return c
}

// start starts a server that shares rooms by way of a NATS connection.
func (c *cluster) start(l net.Listener, o chat.Options, connect func() (*nats.Conn, func())) {
	c.t.Helper()
	nc, disconnect := connect()
	s := chat.NewServer(o)
	leave, err := s.Share(nc)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		s.Serve(ctx, l)
		close(ended)
	}()
	c.stops = append(c.stops, sync.OnceFunc(func() {
		cancel()
		<-ended
		leave()
		disconnect()
	}))
}

func (c *cluster) stopAll() {
	for _, stop := range c.stops {
		stop()
	}
}

// clusters runs a test on servers of both kinds: on the machine, each with a NATS server within; and in virtual time on
// hosts of a lab, with one NATS server at a host of its own.
func clusters(t *testing.T, servers int, o chat.Options, test func(c *cluster)) {
	t.Run("kernel", func(t *testing.T) {
		h := kernel.Host()
		c := &cluster{world: &world{t: t, server: h, members: []*sockeye.Host{h}}}
		defer c.stopAll()
		var peers []string
		for i := range servers {
			e, err := chat.Embed(chat.Mesh{ID: fmt.Sprint("s", i), Listen: "127.0.0.1:0", Peers: peers, Secret: "known to us"})
			if err != nil {
				t.Fatal(err)
			}
			peers = append(peers, e.Addr.String())
			l, err := h.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			c.ats = append(c.ats, l.Addr().String())
			o.ID = fmt.Sprint("s", i)
			c.start(l, o, func() (*nats.Conn, func()) { return e.Conn, e.Close })
		}
		test(c)
	})
	t.Run("lab", func(t *testing.T) { labCluster(t, servers, o, test) })
}

func labCluster(t *testing.T, servers int, o chat.Options, test func(c *cluster)) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		c := &cluster{world: &world{t: t, net: n}}
		middle := n.Switch("middle")
		broker, people := n.Host("broker"), n.Host("people")
		n.Link(broker, middle, far)
		n.Link(people, middle, far)
		for i := range servers {
			h := n.Host(fmt.Sprint("server", i))
			c.hosts = append(c.hosts, h)
			c.links = append(c.links, n.Link(h, middle, far))
			c.ats = append(c.ats, h.Name()+":7000")
		}
		c.members = []*sockeye.Host{people.Sockets()}
		c.broker = broker
		defer serveNATS(t, broker)()
		defer c.stopAll()
		for i, h := range c.hosts {
			o.ID = fmt.Sprint("s", i)
			c.start(h.MustListen("tcp", ":7000"), o, func() (*nats.Conn, func()) {
				nc, err := chat.Connect("nats://broker:4222", nats.SetCustomDialer(h.Sockets()), nats.SkipHostLookup(), nats.Timeout(10*time.Second))
				if err != nil {
					t.Fatal(err)
				}
				return nc, nc.Close
			})
		}
		test(c)
	})
}

// serveNATS runs a NATS server on a host. It opens no listener of its own: each connection of the host's becomes one of
// its connections in the process.
func serveNATS(t *testing.T, h *lab.Host) (end func()) {
	ns, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	l := h.MustListen("tcp", ":4222")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			inside, err := ns.InProcessConn()
			if err != nil {
				t.Error(err)
				c.Close()
				return
			}
			join := func(to, from net.Conn) {
				io.Copy(to, from)
				to.Close()
				from.Close()
			}
			go join(c, inside)
			go join(inside, c)
		}
	}()
	return func() {
		l.Close()
		ns.Shutdown()
		ns.WaitForShutdown()
	}
}

// until asks who is in the lobby until these are.
func (g *guest) until(names ...string) {
	g.t.Helper()
	for asked := 0; ; asked++ {
		g.say("/who lobby")
		_, list, _ := strings.Cut(g.await("[lobby] * "), " here: ")
		got := strings.Split(list, ", ")
		slices.Sort(got)
		if slices.Equal(got, names) {
			return
		}
		if asked == 1000 {
			g.t.Fatalf("in the lobby %s still finds %q, and not %q", g.name, got, names)
		}
		time.Sleep(50 * time.Millisecond) // before the question is asked again
	}
}

func TestServersShareTheirRooms(t *testing.T) {
	clusters(t, 3, chat.Options{Title: "test", Rate: -1}, func(c *cluster) {
		ann := c.use(0).join("ann", "lobby")
		ann.await("[lobby] * 1 is here: ann")
		bob := c.use(1).join("bob", "lobby")
		bob.until("ann", "bob")
		ann.until("ann", "bob")
		carl := c.use(2).join("carl", "lobby")
		for _, g := range []*guest{ann, bob} {
			g.until("ann", "bob", "carl")
		}
		carl.say("hello from the third")
		for _, g := range []*guest{ann, bob, carl} {
			g.await("[lobby] carl: hello from the third")
		}
		ann.say("/msg carl psst")
		ann.await("[ann -> carl] psst")
		carl.await("[ann -> carl] psst")

		eve := c.use(1).connect()
		eve.say("/name ANN")
		eve.await("! ANN is taken; try /name ANN2")
		eve.say("/name eve")
		eve.await("[lobby] * 4 are here: ")
		if line := eve.line(); !strings.HasSuffix(line, " carl: hello from the third") {
			t.Errorf("the history of another server has %q", line)
		}
		carl.say("/name karl")
		ann.await("[lobby] * carl is now karl")
		eve.say("/quit", "")
		ann.await("[lobby] * eve left")
		bob.say("/join dev")
		bob.await("[dev] * 1 is here: bob")
		bob.say("/leave lobby")
		ann.await("[lobby] * bob left")
		carl.await("[lobby] * bob left")
		carl.say("/who dev")
		carl.await("[dev] * 1 is here: bob")

		c.stops[2]()
		ann.await("[lobby] * karl left: the server is closing")
		ann.until("ann")
	})
}

func TestAServerThatComesLaterKnowsWhatWasSaid(t *testing.T) {
	labCluster(t, 2, chat.Options{}, func(c *cluster) {
		ann := c.use(0).join("ann", "lobby")
		for i := range 5 {
			ann.say(fmt.Sprint("message ", i))
			ann.await(fmt.Sprint("[lobby] ann: message ", i))
		}
		c.stops[1]()
		l := c.hosts[1].MustListen("tcp", ":7001")
		c.start(l, chat.Options{ID: "later"}, func() (*nats.Conn, func()) {
			nc, err := chat.Connect("nats://broker:4222", nats.SetCustomDialer(c.hosts[1].Sockets()), nats.SkipHostLookup())
			if err != nil {
				t.Fatal(err)
			}
			return nc, nc.Close
		})
		c.at = "server1:7001"
		bob := c.join("bob", "lobby")
		for i := range 5 {
			for !strings.HasSuffix(bob.line(), fmt.Sprint(" ann: message ", i)) {
			}
		}
	})
}

// Two servers give one name to two people while they are apart. When they meet, one has another name, on all servers.
func TestServersThatWereApartAgreeAgain(t *testing.T) {
	labCluster(t, 3, chat.Options{Rate: -1}, func(c *cluster) {
		ann, bob, carl := c.use(0).join("ann", "lobby"), c.use(1).join("bob", "lobby"), c.use(2).join("carl", "lobby")
		for _, g := range []*guest{ann, bob, carl} {
			g.until("ann", "bob", "carl")
		}
		// The broker is out of the third server's reach, and its people are not.
		c.net.Part([]*lab.Host{c.hosts[2]}, []*lab.Host{c.broker})
		ann.await("[lobby] * carl left: that server is out of reach")
		carl.until("carl")
		carl.say("is nobody there?")
		carl.await("[lobby] carl: is nobody there?")
		dan := c.use(0).join("dan", "lobby")
		dan.await("[lobby] * 3 are here")
		other := c.use(2).join("dan", "lobby")
		other.await("[lobby] * 2 are here: carl, dan")
		c.net.Join()
		other.await("! dan was given out on another server too; you are dan2 now")
		for _, g := range []*guest{ann, bob, carl, dan, other} {
			g.until("ann", "bob", "carl", "dan", "dan2")
		}
		carl.say("together again")
		ann.await("[lobby] carl: together again")
	})
}

func TestTheServerOfACrashedHostIsForgotten(t *testing.T) {
	labCluster(t, 2, chat.Options{}, func(c *cluster) {
		ann := c.use(0).join("ann", "lobby")
		bob := c.use(1).join("bob", "lobby")
		bob.until("ann", "bob")
		c.hosts[1].Crash()
		ann.await("[lobby] * bob left: that server is out of reach")
		ann.until("ann")
		c.use(0).join("bob", "lobby").await("[lobby] * 2 are here: ann, bob")
	})
}
