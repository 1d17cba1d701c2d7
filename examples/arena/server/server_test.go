package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/examples/arena/game"
	"sockeye/examples/arena/server"
	"sockeye/examples/arena/wire"
	"sockeye/lab"
)

// inLab runs a test on a network with a server and a client.
func inLab(t *testing.T, test func(t *testing.T, h *lab.Host, s *server.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		pond, h := n.Host("server"), n.Host("client")
		n.Link(pond, h)
		l := pond.MustListen("tcp", ":2000")
		p, err := pond.ListenPacket("udp", ":2000")
		if err != nil {
			t.Fatal(err)
		}
		s := server.New(l, p)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx) }()
		test(t, h, s)
		cancel()
		<-done
	})
}

// A talk is a lobby connection.
type talk struct {
	net.Conn
	*bufio.Reader
	t *testing.T
}

func dial(t *testing.T, h *lab.Host) talk {
	t.Helper()
	c, err := h.Dial("tcp", "server:2000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(time.Hour))
	return talk{c, bufio.NewReader(c), t}
}

// ask says a line and gives the answer.
func (c talk) ask(line string) string {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
	return c.hear()
}

func (c talk) hear() string {
	c.t.Helper()
	line, err := c.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%q, %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

func TestTheLobbyAnswers(t *testing.T) {
	inLab(t, func(t *testing.T, h *lab.Host, s *server.Server) {
		anna, bert := dial(t, h), dial(t, h)
		for _, tt := range []struct {
			who        talk
			says, hear string // the beginning
		}{
			{anna, "dance", `error unknown word "dance"; try name,`},
			{anna, "join pond", `error nobody knows you; say "name NAME" first`},
			{anna, "name ", `error name "": want 1 to 16 bytes`},
			{anna, "name two words", `error name "two words": want`},
			{anna, "name " + strings.Repeat("a", 17), "error name"},
			{anna, "name \x07", "error a line that is not text"},
			{anna, "name \xff", "error a line that is not text"},
			{anna, "name anna", "hello anna"},
			{anna, "name anna2", "error you are anna already"},
			{bert, "name anna", "error there is a anna already"},
			{bert, "name bert\r", "hello bert"},
			{bert, "leave", "error you are in no match"},
			{bert, "matches", "matches 0"},
			{anna, "join pond", "joined pond 0 "},
			{anna, "join lake", "error you are in the match pond; leave it first"},
			{bert, "matches", "match pond 1"},
			{bert, "say is anybody here?", "matches 1"},
			{bert, "join pond", "said bert is anybody here?"},
			{bert, "say so", "joined pond 1 "},
		} {
			got := tt.who.ask(tt.says)
			if got == "player 0 anna" {
				got = tt.who.hear()
			}
			if !strings.HasPrefix(got, tt.hear) {
				t.Errorf("%q was answered by %q, want %q", tt.says, got, tt.hear)
			}
		}
	})
}

func TestMatchesAndTheirPlayersAreBounded(t *testing.T) {
	inLab(t, func(t *testing.T, h *lab.Host, s *server.Server) {
		for i := range server.MaxMatches + 1 {
			c := dial(t, h)
			c.ask(fmt.Sprint("name p", i))
			if got, want := c.ask(fmt.Sprint("join m", i)), i < server.MaxMatches; strings.HasPrefix(got, "joined") != want {
				t.Errorf("match %d: %q", i, got)
			}
			if i == 0 {
				defer func() {
					c.Close()
					time.Sleep(time.Second)
					if n := len(s.Matches()); n != server.MaxMatches-1 {
						t.Errorf("%d matches are left", n)
					}
				}()
			}
		}
	})
}

// Whatever comes by UDP: only a player's own token moves the player, never faster than time, and the server goes on.
func TestHostileDatagrams(t *testing.T) {
	inLab(t, func(t *testing.T, h *lab.Host, s *server.Server) {
		c := dial(t, h)
		c.ask("name anna")
		var id, port int
		var token uint64
		if _, err := fmt.Sscanf(c.ask("join pond"), "joined pond %d %x %d", &id, &token, &port); err != nil {
			t.Fatal(err)
		}
		where := func() game.Player {
			w, _ := s.World("pond")
			return *w.Player(0)
		}
		u, err := h.Dial("udp", fmt.Sprint("server:", port))
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		start := where()
		random := rand.New(rand.NewPCG(1, 1))
		moves := make([]game.Input, wire.MaxInputs)
		for i := range moves {
			moves[i] = game.Input(game.Left) + game.Input(i%2) // left and right
		}
		for range 2000 {
			b := make([]byte, random.IntN(1400))
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			u.Write(b)
			if len(b) > 13 {
				b[0] = 'i'
				u.Write(b[:min(len(b), 13+len(b)%64)])
			}
			u.Write(wire.Inputs{Token: token + 1 + random.Uint64N(1<<60), First: 1, Inputs: moves}.Append(nil))
			u.Write(wire.Inputs{Token: token, First: 2 + random.Uint32N(1<<31), Inputs: moves}.Append(nil)) // leaves a gap
		}
		time.Sleep(time.Second)
		if got := where(); got != start {
			t.Errorf("the player was moved from %+v to %+v", start, got)
		}
		// The right token, but a thousand inputs in one second.
		done := uint32(0)
		ack := func() uint32 {
			b := make([]byte, 2000)
			var m wire.Snapshot
			for {
				u.SetReadDeadline(time.Now().Add(time.Second / 60))
				n, err := u.Read(b)
				if err != nil {
					return done
				}
				if m.Parse(b[:n]) == nil {
					done = m.Ack
				}
			}
		}
		first := done
		for range 60 {
			u.Write(wire.Inputs{Token: token, First: done + 1, Inputs: moves}.Append(nil))
			ack()
		}
		if did := done - first; did < 30 || did > 2*game.Rate+wire.MaxInputs {
			t.Errorf("%d inputs were done in little more than a second", did)
		}
	})
}

// A client that never reads is dropped once too many lines wait for it; who talks to the others is not held up.
func TestAClientThatNeverReads(t *testing.T) {
	inLab(t, func(t *testing.T, h *lab.Host, s *server.Server) {
		deaf, anna := dial(t, h), dial(t, h)
		deaf.ask("name deaf")
		deaf.ask("join pond")
		anna.ask("name anna")
		anna.ask("join pond")
		text := strings.Repeat("x", 300)
		gone := false
		for said := 0; !gone && said < 100_000; said++ {
			for line := anna.ask("say " + text); !gone && !strings.HasPrefix(line, "said anna"); line = anna.hear() {
				gone = line == "gone 0"
			}
		}
		if !gone {
			t.Error("after 100,000 lines the deaf client is there still")
		}
		if list := s.Matches(); len(list) != 1 || list[0].Players != 1 {
			t.Errorf("matches: %+v", list)
		}
	})
}

func TestLinesThatAreTooLong(t *testing.T) {
	inLab(t, func(t *testing.T, h *lab.Host, s *server.Server) {
		c := dial(t, h)
		io.WriteString(c.Conn, strings.Repeat("x", 2*server.MaxLine))
		if got := c.hear(); !strings.HasPrefix(got, "error a line of more than 400 bytes") {
			t.Error(got)
		}
	})
}

// Who connects and says nothing is not waited for for ever.
func TestSilentConnections(t *testing.T) {
	inLab(t, func(t *testing.T, h *lab.Host, s *server.Server) {
		for range 100 {
			c := dial(t, h)
			defer func() {
				if _, err := c.ReadByte(); err == nil {
					t.Error("the server spoke")
				}
			}()
		}
		time.Sleep(time.Minute)
	})
}
