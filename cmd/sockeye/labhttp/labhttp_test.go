package labhttp_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"sockeye/cmd/sockeye/labhttp"
	"sockeye/internal/leak"
	"sockeye/lab"
	"sockeye/link"
	"sockeye/nat"
)

// A site is a lab that is shown: alice and bob at the switch lan, and web behind the router r.
type site struct {
	t               *testing.T
	network         *lab.Network
	alice, bob, web *lab.Host
	wan             *lab.Link
	view            *labhttp.View
	server          *httptest.Server
	header          http.Header // of all requests
	logged          []string
}

func newSite(t *testing.T) *site {
	n := lab.New(t)
	s := &site{t: t, network: n, alice: n.Host("alice"), bob: n.Host("bob"), web: n.Host("web"), view: labhttp.NewView(), header: make(http.Header)}
	lan, r := n.Switch("lan"), n.Router("r")
	n.Link(s.alice, lan)
	n.Link(s.bob, lan)
	n.Link(lan, r)
	s.wan = n.Link(r, s.web, link.Faults{Delay: time.Millisecond}, link.Faults{Delay: 2 * time.Millisecond})
	s.wan.SetName("wan")
	s.web.Program(func() { serveEcho(s.web) })
	s.view.Show(labhttp.Lab{
		Name: "test", Network: n, Forwards: []labhttp.Forward{{Listen: "tcp://127.0.0.1:8080", To: "web:7"}},
		Log: func(what string) { s.logged = append(s.logged, what) },
	})
	s.server = httptest.NewServer(s.view)
	t.Cleanup(s.server.Close)
	t.Cleanup(s.server.Client().CloseIdleConnections)
	return s
}

// serveEcho sends back what comes to port 7.
func serveEcho(h *lab.Host) {
	l, err := h.Listen("tcp", ":7")
	if err != nil {
		return
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

// connect gives a connection from alice to web, over which "hello" has gone there and back.
func (s *site) connect() net.Conn {
	s.t.Helper()
	c, err := s.alice.Dial("tcp", "web:7")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	fmt.Fprint(c, "hello")
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// ask makes a request, POST if there is a body, and gives the status and the body of the answer.
func (s *site) ask(path string, body ...string) (status int, answer string) {
	s.t.Helper()
	method, content := "GET", io.Reader(nil)
	if len(body) > 0 {
		method, content = "POST", strings.NewReader(body[0])
	}
	r, err := http.NewRequest(method, s.server.URL+path, content)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header = s.header.Clone()
	if len(body) > 0 && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Host = r.Header.Get("Host")
	resp, err := s.server.Client().Transport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// get makes a request that must succeed, and reads the answer.
func (s *site) get(into any, path string, body ...string) {
	s.t.Helper()
	status, answer := s.ask(path, body...)
	if status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", path, status, answer)
	}
	d := json.NewDecoder(strings.NewReader(answer))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		s.t.Fatalf("%s: %v in %s", path, err, answer)
	}
}

func TestTheStateIsThatOfTheLab(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	s.connect()
	var got labhttp.State
	s.get(&got, "/api/state")
	if got.Name != "test" || got.Seed != s.network.Seed() || got.Time <= 0 || len(got.Parted) != 0 || !slices.Equal(got.Forwards, []labhttp.Forward{{Listen: "tcp://127.0.0.1:8080", To: "web:7"}}) {
		t.Errorf("%+v", got)
	}
	var nodes, links []string
	for _, n := range got.Nodes {
		nodes = append(nodes, n.Kind+" "+n.Name)
	}
	for _, l := range got.Links {
		links = append(links, fmt.Sprintf("%s %s>%s[%s] %s>%s[%s]", l.Name, l.Ways[0].From, l.Ways[0].To, l.Ways[0].Faults, l.Ways[1].From, l.Ways[1].To, l.Ways[1].Faults))
	}
	if want := "[host alice host bob host web router r switch lan]"; fmt.Sprint(nodes) != want {
		t.Errorf("%v, not %v", nodes, want)
	}
	if want := "[alice-lan alice>lan[] lan>alice[] bob-lan bob>lan[] lan>bob[] lan-r lan>r[] r>lan[] wan r>web[delay=1ms] web>r[delay=2ms]]"; fmt.Sprint(links) != want {
		t.Errorf("%v, not %v", links, want)
	}
	if a := got.Nodes[0].Addrs; len(a) != 2 || a[0] != s.alice.Addrs()[0].String() {
		t.Error(a)
	}
	if c := got.Links[3].Ways[0].Count; c == nil || c.Sent < 3 || c.Delivered < 2 || c.DeliveredBytes < 2*52 || c.Lost != 0 {
		t.Errorf("after a connection was made the counters are %+v", c)
	}
}

func TestNodesHaveTheirKinds(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	n := lab.New(t)
	n.Link(n.NAT("home", nat.Config{}), n.Router("isp"))
	s.view.Show(labhttp.Lab{Network: n})
	var got labhttp.State
	s.get(&got, "/api/state")
	if got.Nodes[0].Kind != "translator" || got.Nodes[1].Kind != "router" {
		t.Errorf("%+v", got.Nodes)
	}
}

func TestTheSocketsOfAHostHaveTheirStates(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	c := s.connect()
	var got labhttp.Sockets
	s.get(&got, "/api/hosts/web/sockets")
	if len(got.Sockets) != 2 || got.Host != "web" {
		t.Fatalf("%+v", got)
	}
	if l, e := got.Sockets[0], got.Sockets[1]; l.State != "LISTEN" || l.Local != "[::]:7" || e.State != "ESTABLISHED" || e.Network != "tcp" || !strings.HasSuffix(e.Peer, c.LocalAddr().String()[strings.LastIndex(c.LocalAddr().String(), ":"):]) {
		t.Errorf("%+v", got)
	}
	s.get(&got, "/api/hosts/bob/sockets")
	if got.Host != "bob" || len(got.Sockets) != 0 {
		t.Errorf("bob has %+v", got)
	}
}

func TestFaultsAreSetByLinkHostAndPair(t *testing.T) {
	leak.Check(t)
	threeG, _ := link.ProfileNamed("3g")
	perfect := " wan: delay=1ms delay=2ms"
	for _, tt := range []struct {
		name, path, body string
		want             string // links with their faults, each way
		log              string
	}{
		{"a link, both ways", "/api/links/bob-lan", `{"set": ["loss=10%"]}`, "bob-lan: loss=10% loss=10%" + perfect, "link bob-lan: loss=10%"},
		{"a link with its ends turned about", "/api/links/lan-bob", `{"set": ["loss=10%"]}`, "bob-lan: loss=10% loss=10%" + perfect, "link lan-bob: loss=10%"},
		{"one way", "/api/links/wan", `{"from": "web", "set": ["loss=10%"]}`, "wan: delay=1ms delay=2ms loss=10%", "link wan: loss=10% from web"},
		{"on top of what there is", "/api/links/wan", `{"set": ["rate=5mbit", "delay=0"]}`, "wan: rate=5mbit rate=5mbit", "link wan: rate=5mbit delay=0"},
		{"in place of what there is", "/api/links/wan", `{"clear": true, "set": ["rate=5mbit"]}`, "wan: rate=5mbit rate=5mbit", "link wan: clear rate=5mbit"},
		{"none", "/api/links/wan", `{"clear": true}`, "", "link wan: clear"},
		{"down", "/api/links/wan", `{"set": ["down=yes"]}`, "wan: down=yes delay=1ms down=yes delay=2ms", "link wan: down=yes"},
		{"a profile, whose user is at the first end", "/api/links/wan", `{"set": ["profile=3g", "loss=1%"]}`,
			fmt.Sprintf("wan: %v loss=1%% %v loss=1%%", threeG.Up, threeG.Down), "link wan: profile=3g loss=1%"},
		{"a host", "/api/hosts/r/links", `{"set": ["loss=1%"]}`, "lan-r: loss=1% loss=1% wan: delay=1ms loss=1% delay=2ms loss=1%", "links of r: loss=1%"},
		{"what a host sends", "/api/hosts/r/links", `{"from": "r", "set": ["loss=1%"]}`, "lan-r: - loss=1% wan: delay=1ms loss=1% delay=2ms", "links of r: loss=1% from r"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leak.Check(t)
			s := newSite(t)
			var got labhttp.State
			s.get(&got, tt.path, tt.body)
			var said, real []string
			for i, x := range s.network.AllLinks() {
				a, b := x.Ends()
				f, g := x.Faults(a), x.Faults(b)
				if f == (link.Faults{}) && g == f {
					continue
				}
				real = append(real, fmt.Sprintf("%s: %s %s", got.Links[i].Name, words(f.String()), words(g.String())))
				said = append(said, fmt.Sprintf("%s: %s %s", got.Links[i].Name, words(got.Links[i].Ways[0].Faults), words(got.Links[i].Ways[1].Faults)))
			}
			if text := strings.Join(real, " "); text != strings.TrimSpace(tt.want) || !slices.Equal(real, said) {
				t.Errorf("the faults are %s, and are said to be %s; want %s", text, said, tt.want)
			}
			if !slices.Equal(s.logged, []string{tt.log}) {
				t.Errorf("%q was logged, not %q", s.logged, tt.log)
			}
		})
	}
}

func words(faults string) string {
	if faults == "" {
		return "-"
	}
	return faults
}

func TestFaultsAreSetBetweenHostsWhereverTheyAre(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	for _, tt := range []struct {
		body string
		want []labhttp.Pair
	}{
		{`{"set": ["delay=50ms"]}`, []labhttp.Pair{{"alice", "web", "delay=50ms"}, {"web", "alice", "delay=50ms"}}},
		{`{"from": "web", "set": ["loss=1%"]}`, []labhttp.Pair{{"alice", "web", "delay=50ms"}, {"web", "alice", "delay=50ms loss=1%"}}},
		{`{"from": "alice", "clear": true}`, []labhttp.Pair{{"web", "alice", "delay=50ms loss=1%"}}},
		{`{"clear": true}`, nil},
	} {
		var got labhttp.State
		s.get(&got, "/api/pairs/alice/web", tt.body)
		if !slices.Equal(got.Pairs, tt.want) {
			t.Errorf("after %s: %v", tt.body, got.Pairs)
		}
		for _, p := range got.Pairs {
			if ends := map[string]*lab.Host{"alice": s.alice, "web": s.web}; s.network.FaultsFromTo(ends[p.From], ends[p.To]).String() != p.Faults {
				t.Errorf("from %s to %s there are %v, not %s", p.From, p.To, s.network.FaultsFromTo(ends[p.From], ends[p.To]), p.Faults)
			}
		}
	}
	if want := "alice and web: loss=1% from web"; len(s.logged) != 4 || s.logged[1] != want {
		t.Errorf("%q was logged", s.logged)
	}
}

func TestALinkThatIsCutComesUpWayByWay(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	s.wan.Cut()
	var got labhttp.State
	s.get(&got, "/api/state")
	if w := got.Links[3].Ways; !w[0].Down || !w[1].Down {
		t.Errorf("%+v", w)
	}
	s.get(&got, "/api/links/wan", `{"from": "web", "set": ["down=no"]}`)
	if w := got.Links[3].Ways; !w[0].Down || w[1].Down || s.wan.IsCut() {
		t.Errorf("%+v", w)
	}
	s.wan.Cut()
	before := s.wan.Faults(s.web)
	if status, answer := s.ask("/api/links/wan", `{"from": "web", "set": ["delay=0", "reorder=5%"]}`); status != http.StatusBadRequest || !s.wan.IsCut() || s.wan.Faults(s.web) != before {
		t.Errorf("after a change that failed the faults are %v: %s", s.wan.Faults(s.web), answer)
	}
}

func TestHostsCrashRestartAndArePartedByRequest(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	var got labhttp.State
	s.get(&got, "/api/hosts/web/crash", "")
	if got.Nodes[2].Up || s.web.IsUp() {
		t.Error("web did not crash")
	}
	s.get(&got, "/api/hosts/web/restart", "")
	if !got.Nodes[2].Up || !s.web.IsUp() {
		t.Error("web did not come back")
	}
	s.get(&got, "/api/hosts/bob/isolate", "")
	if want := [][2]string{{"alice", "bob"}, {"bob", "web"}, {"bob", "r"}}; !slices.Equal(got.Parted, want) || len(s.network.Parted()) != 3 {
		t.Errorf("%v are parted, not %v", got.Parted, want)
	}
	got = labhttp.State{}
	s.get(&got, "/api/join", "")
	if len(got.Parted) != 0 || s.network.Parted() != nil {
		t.Errorf("%v are parted", got.Parted)
	}
	s.get(&got, "/api/part", `{"groups": [["alice"], ["bob", "web"]]}`)
	if want := [][2]string{{"alice", "bob"}, {"alice", "web"}}; !slices.Equal(got.Parted, want) {
		t.Errorf("%v are parted, not %v", got.Parted, want)
	}
	if want := []string{"host web: crashed", "host web: restarted", "host bob: isolated", "all partitions ended", "parted: alice | bob web"}; !slices.Equal(s.logged, want) {
		t.Errorf("%q was logged, not %q", s.logged, want)
	}
}

func TestALadderIsThatOfTheConversation(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	c := s.connect()
	var list []labhttp.Conversation
	s.get(&list, "/api/ladders")
	if len(list) != 1 || list[0].Ends[0] != (labhttp.End{Host: "alice", Addr: c.LocalAddr().String()}) || list[0].Ends[1].Host != "web" || list[0].Protocol != "tcp" {
		t.Fatalf("%+v", list)
	}
	var l labhttp.Ladder
	s.get(&l, "/api/ladders/"+list[0].ID)
	if len(l.Rungs) != l.Packets || l.Packets < 4 || l.Earlier != 0 {
		t.Fatalf("%+v", l)
	}
	if r := l.Rungs[0]; r.From != 0 || r.States[0] != "SYN-SENT" || r.Text != "SYN 0 win 64240" || r.Arrived-r.Sent < 1e-3 {
		t.Errorf("%+v", r)
	}
	if r := l.Rungs[1]; r.From != 1 || r.States != [2]string{"ESTABLISHED", "SYN-RECV"} || r.Arrived-r.Sent < 2e-3 {
		t.Errorf("%+v", r)
	}
}

func TestSettingsNameWhatCanBeSet(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	var got labhttp.Settings
	s.get(&got, "/api/settings")
	if !slices.Equal(got.Faults, link.Settings()) || len(got.Profiles) != len(link.ProfileNames()) {
		t.Errorf("%+v", got)
	}
	for _, p := range got.Profiles {
		var f link.Faults
		for _, w := range strings.Fields(p.Down) {
			if err := f.SetWord(w); err != nil {
				t.Error(err)
			}
		}
		if want, _ := link.ProfileNamed(p.Name); f != want.Down || p.Source != want.Source {
			t.Errorf("%+v", p)
		}
	}
}

func TestWhatMakesNoSenseIsToldWithWhatWould(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	huge := `{"set": ["` + strings.Repeat("x", 70<<10) + `"]}`
	for _, tt := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/api/links/x", `{}`, 404, `there is no link "x"; there are alice-lan, bob-lan, lan-r, wan`},
		{"/api/hosts/x/crash", ``, 404, `there is no host "x"; there are alice, bob, web, r`},
		{"/api/hosts/x/links", `{}`, 404, `there is no host "x"; there are alice, bob, web, r`},
		{"/api/pairs/alice/x", `{}`, 404, `there is no host "x"; there are alice, bob, web, r`},
		{"/api/pairs/alice/alice", `{}`, 400, `a pair is two hosts, and both are alice`},
		{"/api/pairs/alice/web", `{}`, 400, `nothing is to change: want words to set, as {"set": ["loss=10%"]}, or {"clear": true}`},
		{"/api/pairs/alice/web", `{"from": "bob", "set": ["loss=1%"]}`, 400, `from is "bob", which is at no end of alice and web: want alice or web`},
		{"/api/pairs/alice/web", `{"set": ["reorder=5%"]}`, 400, `reorder=5%: packets overtake those that wait for a delay, and there is none; add one, as delay=80ms`},
		{"/api/links/wan", `{}`, 400, `nothing is to change: want words to set, as {"set": ["loss=10%"]}, or {"clear": true}`},
		{"/api/links/wan", ``, 400, `the body is not what is wanted: EOF: want JSON such as {"set": ["loss=10%", "delay=200ms"]}`},
		{"/api/links/wan", `{"sot": []}`, 400, `the body is not what is wanted: unknown field "sot": want JSON such as {"set": ["loss=10%", "delay=200ms"]}`},
		{"/api/links/wan", `{"clear": true} {}`, 400, `the body goes on behind its end: want JSON such as {"set": ["loss=10%", "delay=200ms"]}`},
		{"/api/links/wan", huge, 413, `the body has more than 65536 bytes: want a few words`},
		{"/api/links/wan", `{"set": ["loss=110%"]}`, 400, `loss=110%: want a share, as 10% or 0.1`},
		{"/api/links/wan", `{"set": ["loss"]}`, 400, `"loss" is no fault; one is written as loss=10% or delay=200ms`},
		{"/api/links/wan", `{"set": ["profile=5g"]}`, 400, `there is no profile "5g"; there are ` + strings.Join(link.ProfileNames(), ", ")},
		{"/api/links/bob-lan", `{"set": ["loss=1%", "reorder=5%"]}`, 400, `reorder=5%: packets overtake those that wait for a delay, and there is none; add one, as delay=80ms`},
		{"/api/hosts/r/links", `{"set": ["loss=1%", "reorder=5%"]}`, 400, `reorder=5%: packets overtake those that wait for a delay, and there is none; add one, as delay=80ms`},
		{"/api/links/wan", `{"from": "alice", "set": ["loss=1%"]}`, 400, `from is "alice", which is at no end of link wan: want r or web`},
		{"/api/hosts/r/links", `{"from": "alice", "set": ["loss=1%"]}`, 400, `from is "alice", which is at no end of links of r: want lan or r or web`},
		{"/api/part", `{"groups": [["alice"]]}`, 400, `there are 1 groups: want two or more, as {"groups": [["alice"], ["bob", "web"]]}`},
		{"/api/part", `{"groups": [["alice"], ["alice", "bob"]]}`, 400, `host alice is named twice: a host is in one group`},
		{"/api/part", `{"groups": [["alice"], ["x"]]}`, 404, `there is no host "x"; there are alice, bob, web, r`},
		{"/api/part", `[]`, 400, `the body is not what is wanted: cannot unmarshal array into Go value of type labhttp.Partition: want JSON such as {"groups": [["alice"], ["bob", "web"]]}`},
	} {
		status, answer := s.ask(tt.path, tt.body)
		if want, _ := json.Marshal(map[string]string{"error": tt.want}); status != tt.status || strings.TrimSpace(answer) != string(want) {
			t.Errorf("%s %.60s: %d %s\nnot %d %s", tt.path, tt.body, status, answer, tt.status, want)
		}
	}
	for path, want := range map[string]string{
		"/api/ladders/tcp,1,2":   `there is no conversation \"tcp,1,2\"; GET /api/ladders has those that are remembered`,
		"/api/hosts/lan/sockets": `there is no host \"lan\"; there are alice, bob, web, r`,
		"/api/links/wan":         `there is no GET /api/links/wan; there are GET /api/events, GET /api/hosts/{host}/sockets, `,
	} {
		if status, answer := s.ask(path); status != 404 || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	if len(s.logged) != 0 || s.wan.Faults(s.web) != (link.Faults{Delay: 2 * time.Millisecond}) || len(s.network.Parted()) != 0 {
		t.Errorf("something was changed nevertheless: %q", s.logged)
	}
	for _, x := range s.network.AllLinks()[:3] {
		a, b := x.Ends()
		if x.Faults(a) != (link.Faults{}) || x.Faults(b) != (link.Faults{}) {
			t.Errorf("link %v was changed nevertheless", x)
		}
	}
	s.header.Set("Content-Type", "text/plain")
	if status, answer := s.ask("/api/links/wan", `{"clear": true}`); status != 415 || !strings.Contains(answer, `the Content-Type is \"text/plain\": want application/json`) {
		t.Errorf("%d %s", status, answer)
	}
}

func TestAViewWithoutALabSaysSo(t *testing.T) {
	leak.Check(t)
	s := &site{t: t, header: make(http.Header), server: httptest.NewServer(labhttp.NewView())}
	defer s.server.Close()
	for _, path := range []string{"/api/state", "/api/ladders", "/api/hosts/web/sockets"} {
		if status, answer := s.ask(path); status != 503 || !strings.Contains(answer, "no lab is up yet") {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
}
