package labfile_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	yaml "go.yaml.in/yaml/v4"

	"sockeye/cmd/sockeye/labfile"
	"sockeye/link"
)

func TestAFileIsReadWhole(t *testing.T) {
	t.Parallel()
	got, err := labfile.Read("testdata/whole.yaml")
	if err != nil {
		t.Fatal(err)
	}
	slow := link.Faults{Delay: 40 * time.Millisecond, Jitter: 5 * time.Millisecond, KeepOrder: true, Rate: 5e6}
	lossy := slow
	lossy.Loss = 0.01
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	want := &labfile.File{
		Name: "office", Seed: 7,
		Hosts: []labfile.Host{
			{Name: "client", Forward: []labfile.Forward{
				{From: netip.AddrPortFrom(loopback, 8080), To: "web:80"},
				{UDP: true, From: netip.MustParseAddrPort("[::1]:5353"), To: "web:53"},
			}},
			{Name: "home", NAT: labfile.NAT{Kind: "symmetric", UDP: 30 * time.Second}},
			{Name: "router", Router: true, Addresses: []netip.Prefix{netip.MustParsePrefix("10.1.0.1/24"), netip.MustParsePrefix("10.2.0.1/24"), netip.MustParsePrefix("fd00::1/64")}},
			{
				Name: "web",
				Run: []labfile.Program{
					{Kind: "web", Port: 80, Dir: "site"}, {Kind: "echo", Port: 7},
					{Kind: "source", To: "client:9", Rate: 1e6, Bytes: 64e3, Every: 2 * time.Second},
				},
				Reverse: []labfile.Forward{{From: netip.AddrPortFrom(netip.Addr{}, 5432), To: "127.0.0.1:15432"}},
			},
			{Name: "idle"}, {Name: "names", NameServer: true},
			{Name: "real", Run: []labfile.Program{{Kind: "command", Args: []string{"ping", "-c", "3", "web"}}}},
		},
		Switches: []string{"lan"},
		Links: []labfile.Link{
			{Name: "wan", Ends: [2]string{"client", "router"}, Faults: [2]link.Faults{slow, lossy}},
			{Name: "router-lan", Ends: [2]string{"router", "lan"}},
			{Name: "web-lan", Ends: [2]string{"web", "lan"}},
		},
		Schedule: []labfile.Event{
			{At: 10 * time.Second, For: 5 * time.Second, Link: "wan", From: "router", Change: labfile.Change{{"loss", "30%"}}},
			{At: time.Minute, For: time.Second, Every: time.Minute, Cut: "wan"},
			{At: 0, Crash: "web"},
			{At: time.Second, Part: [][]string{{"client"}, {"web", "router"}}},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

func TestAProfileLeadsDownToTheFirstEnd(t *testing.T) {
	t.Parallel()
	f, err := labfile.Parse("x", []byte("hosts: {phone: , server: }\nlinks: [{between: [phone, server], loss: 2%, profile: 3g}]"))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := link.ProfileNamed("3g")
	p.Up.Loss, p.Down.Loss = 0.02, 0.02
	if got := f.Links[0].Faults; got != [2]link.Faults{p.Up, p.Down} {
		t.Errorf("got %+v", got)
	}
}

// Each bad file is told with place, what is wrong, and what would be right.
var bad = map[string]struct{ text, want string }{
	"nothing":         {"", "1:1: the file is empty; sockeye up --print shows one to begin with"},
	"only a comment":  {"# lab\n", "1:1: the file is empty; sockeye up --print shows one to begin with"},
	"a word":          {"lab", `1:1: this is "lab": want the settings of a lab, as name: ...`},
	"no hosts":        {"name: x\n", "1:1: a lab needs the setting hosts"},
	"two labs":        {"hosts: {web: }\n---\nhosts: {web: }\n", "2:1: a second document begins here: want one lab in a file"},
	"a tab":           {"hosts:\n\tweb:\n", "2:1: this is no YAML: found character that cannot start any token"},
	"an open bracket": {"hosts: {web: }\nswitches: [a, b\n", "3:1: this is no YAML: did not find expected ',' or ']'"},
	"an unknown key":  {"hosts: {web: }\nlinkz: []\n", `2:1: a lab has no setting "linkz"; there are name, seed, hosts, switches, links, schedule`},
	"a key twice":     {"hosts:\n  web:\n  web:\n", `3:3: "web" stands here a second time`},
	"a name":          {"hosts:\n  web server:\n", `2:3: this is "web server": want a name of letters, digits and inner hyphens, such as web or host-1`},
	"a list of hosts": {"hosts: [web]\n", `1:8: this is a list: want hosts by name, as web: {run: [web: 80]}`},
	"a seed":          {"seed: x\nhosts:\n", `1:7: this is "x": want a whole number from 0 on`},
	"a bool":          {"hosts: {web: {router: yes}}\n", `1:23: this is "yes": want true or false`},
	"an address":      {"hosts:\n  web:\n    addresses: [10.0.0.1]\n", `3:17: this is "10.0.0.1": want an address with the length of its network, as 10.0.0.1/24 or fd00::1/64`},
	"a program":       {"hosts:\n  web:\n    run:\n      - wbe: 80\n", `4:9: there is no program "wbe"; there are echo, web, chat, sink, source, command`},
	"a program's name": {"hosts: {web: {run: [web]}}\n", `1:21: this is "web": want a program, as web: 80
1:21: this is "web": want one program and its port, as web: 80; there are echo, web, chat, sink, source, command`},
	"a port":              {"hosts: {web: {run: [web: 70000]}}\n", `1:26: this is "70000": want a port from 1 to 65535`},
	"no port":             {"hosts: {web: {run: [web: {dir: x}]}}\n", `1:21: web needs a port, as web: 80`},
	"a port twice":        {"hosts:\n  web:\n    run:\n    - web: 80\n    - echo: 80\n", `5:13: TCP port 80 is taken by another program of the host already (line 4)`},
	"a program's setting": {"hosts: {web: {run: [echo: {prot: 7}]}}\n", `1:28: echo has no setting "prot"; there are port`},
	"a command's company": {"hosts: {a: {run: [command: ls, echo: 7]}}\n", `1:12: a host that runs a command is that program alone: it runs nothing else, and leads no ports anywhere; make it two hosts`},
	"a nameserver":        {"hosts: {a: {nameserver: true, router: true}}\n", `1:12: a nameserver is neither a router nor a translator, and its addresses are handed out; make it a host of its own`},
	"a nameserver's port": {"hosts: {a: {nameserver: true, run: [echo: 53]}}\n", `1:12: TCP port 53 is taken by another program of the host already (line 1)
1:12: UDP port 53 is taken by another program of the host already (line 1)`},
	"a command":           {"hosts: {a: {run: [command: []]}}\n", `1:28: there is no program: want one and its arguments, as [ping, web], or a line for a shell`},
	"a source of both":    {"hosts: {web: {run: [source: {port: 19, to: web:9}]}}\n", `1:29: a source has either a port, where it waits for who connects, or a target: want one of port: 19 and to: sink:9`},
	"an endless flood":    {"hosts: {web: {run: [source: {to: web:9, udp: true}]}}\n", `1:29: a source of datagrams needs a rate, for nothing slows it down; add one, as rate: 1mbit`},
	"a target":            {"hosts:\n  web:\n    forward: {8080: wbe:80}\n", `3:21: there is no host "wbe"; there are web`},
	"a target's port":     {"hosts:\n  web:\n    forward: {8080: web}\n", `3:21: this is "web": want HOST:PORT, as web:80`},
	"no loopback":         {"hosts:\n  web:\n    forward: {'0.0.0.0:8080': web:80}\n", `3:15: this is "0.0.0.0:8080": want a port of this machine's loopback, as 8080, 127.0.0.2:8080, udp://5353, or 0 for any that is free`},
	"a machine's port":    {"hosts:\n  a: {forward: {8080: a:80}}\n  b: {forward: {8080: a:80}}\n", `3:17: TCP port 127.0.0.1:8080 of this machine leads elsewhere already (line 2)`},
	"a way out":           {"hosts: {a: {reverse: {80: example.org:80}}}\n", `1:27: this is "example.org:80": want a port of this machine's loopback, as 5432 or 127.0.0.2:5432`},
	"a link's end":        {"hosts: {a: , b: }\nlinks:\n- between: [a, c]\n", `3:16: there is no host or switch "c"; there are a, b`},
	"a link's ends":       {"hosts: {a: , b: }\nlinks:\n- between: [a]\n", `3:3: a link is between two hosts or switches, as between: [client, server]`},
	"a link of one":       {"hosts: {a: , b: }\nlinks:\n- between: [a, a]\n", `3:3: a link is between two hosts or switches, as between: [client, server]`},
	"no ends":             {"hosts: {a: , b: }\nlinks:\n- loss: 1%\n", `3:3: a link needs the setting between`},
	"a loss":              {"hosts: {a: , b: }\nlinks:\n- between: [a, b]\n  loss: 110%\n", `4:9: loss=110%: want a share, as 10% or 0.1`},
	"a delay":             {"hosts: {a: , b: }\nlinks:\n- {between: [a, b], delay: 80}\n", `3:28: delay=80: want a time, as 200ms or 1.5s`},
	"a long delay":        {"hosts: {a: , b: }\nlinks:\n- {between: [a, b], delay: 25h}\n", `3:28: delay=25h: want no more than a day`},
	"a profile":           {"hosts: {a: , b: }\nlinks:\n- {between: [a, b], profile: 5g}\n", `3:30: there is no profile "5g"; there are ` + strings.Join(link.ProfileNames(), ", ")},
	"a jitter alone":      {"hosts: {a: , b: }\nlinks:\n- {between: [a, b], jitter: 5ms}\n", `3:3: jitter=5ms: there is no delay that it could vary; add one, as delay=80ms`},
	"an end that is none": {"hosts: {a: , b: , c: }\nlinks:\n- {between: [a, b], from: {c: {loss: 1%}}}\n", `3:28: the link is between a and b, and not at "c"`},
	"two links":           {"hosts: {a: , b: }\nlinks:\n- between: [a, b]\n- between: [a, b]\n", `4:3: link "a-b": a link has that name already; every host, switch and link has one of its own`},
	"a reserved name":     {"hosts: {part: }\n", `1:9: host "part": that is a word of sockeye fault; take another name`},
	"a circle": {"hosts:\nswitches: [s, t, u]\nlinks:\n- between: [s, t]\n- between: [t, u]\n- between: [u, s]\n",
		`6:3: link u-s makes a circle of switches, in which packets would go round for ever`},
	"an address too many": {"hosts: {a: {addresses: [10.0.0.1/24]}}\n", `1:12: host a has the address 10.0.0.1/24, and no link for it: it has 0 of them`},
	"an address twice": {"hosts: {a: {addresses: [10.0.0.1/24]}, b: {addresses: [10.0.0.1/24]}}\nlinks: [between: [a, b]]\n",
		`1:43: host b has the address 10.0.0.1, which host a has already`},
	"two networks": {"hosts: {a: {addresses: [10.0.0.1/24]}, b: {addresses: [10.0.1.1/24]}}\nlinks: [between: [a, b]]\n",
		`1:43: host b has the address 10.0.1.1/24 at link a-b, where the network is 10.0.0.0/24`},
	"an empty event":     {"hosts: {a: }\nschedule:\n- at: 1s\n", `3:3: nothing happens in this event: want one of link and a fault, cut, crash and part`},
	"no time":            {"hosts: {a: }\nschedule:\n- crash: a\n", `3:3: an event needs the setting at`},
	"two events":         {"hosts: {a: , b: }\nlinks: [between: [a, b]]\nschedule:\n- {at: 1s, crash: a, cut: a-b}\n", `4:3: an event is one thing, and this one is cut and crash: make it 2 events`},
	"a fault of no link": {"hosts: {a: }\nschedule:\n- {at: 1s, crash: a, loss: 1%}\n", `3:3: only an event of a link has faults; say which one, as link: wan`},
	"a link's event":     {"hosts: {a: , b: }\nlinks: [between: [a, b]]\nschedule:\n- {at: 1s, link: a-b}\n", `4:3: link a-b has no fault in this event; say which one, as loss: 10%, or cut: a-b`},
	"an event's link":    {"hosts: {a: }\nschedule:\n- {at: 1s, cut: wan}\n", `3:17: there is no link "wan"; there are none`},
	"one group":          {"hosts: {a: }\nschedule:\n- {at: 1s, part: [[a]]}\n", `3:3: there is one group of hosts: nobody is parted from them; want two or more`},
	"a repeated event":   {"hosts: {a: }\nschedule:\n- {at: 1s, crash: a, every: 10s}\n", `3:3: what happens every 10s lasts less than that: want a shorter for, as for: 5s`},
	"an event's fault": {"hosts: {a: , b: }\nlinks: [between: [a, b]]\nschedule:\n- {at: 1s, link: a-b, jitter: 1ms}\n",
		`4:3: jitter=1ms: there is no delay that it could vary; add one, as delay=80ms`},
	"several at once": {"hosts: {a: {router: 1}}\nnme: x\nseed: -1\n", `1:21: this is "1": want true or false
2:1: a lab has no setting "nme"; there are name, seed, hosts, switches, links, schedule
3:7: this is "-1": want a whole number from 0 on`},
}

func TestBadFilesAreToldWithPlaceAndRemedy(t *testing.T) {
	t.Parallel()
	for name, c := range bad {
		_, err := labfile.Parse("lab.yaml", []byte(c.text))
		var want []string
		for line := range strings.Lines(c.want) {
			want = append(want, "lab.yaml:"+line)
		}
		if err == nil || err.Error() != strings.Join(want, "") {
			t.Errorf("%s:\n%s\ngives the error\n%v\nwant\n%s", name, c.text, err, strings.Join(want, ""))
		}
	}
}

// What its schema and what the reader say of a file agree, as far as a schema can tell.
func TestTheSchemaAgreesWithTheReader(t *testing.T) {
	t.Parallel()
	schema := compile(t)
	good, _ := filepath.Glob("testdata/*.yaml")
	good = append(good, "demo.yaml")
	for _, path := range good {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document(t, text)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, name := range []string{
		"a word", "no hosts", "an unknown key", "a name", "a list of hosts", "a seed", "a bool", "a program", "a program's name", "a port",
		"a program's setting", "no ends", "a profile", "no time", "several at once",
	} {
		if schema.Validate(document(t, []byte(bad[name].text))) == nil {
			t.Errorf("%s: the schema has nothing against\n%s", name, bad[name].text)
		}
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(labfile.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("lab.json", text); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("lab.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// document is YAML as JSON has it.
func document(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(stringKeys(v))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// stringKeys makes a port that is a key the string that it is in JSON.
func stringKeys(v any) any {
	switch v := v.(type) {
	case map[any]any:
		m := make(map[string]any)
		for k, x := range v {
			b, _ := json.Marshal(k)
			m[strings.Trim(string(b), `"`)] = stringKeys(x)
		}
		return m
	case map[string]any:
		for k, x := range v {
			v[k] = stringKeys(x)
		}
	case []any:
		for i, x := range v {
			v[i] = stringKeys(x)
		}
	}
	return v
}
