package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sockeye/cmd/sockeye/labctl"
	"sockeye/cmd/sockeye/labjoin"
	"sockeye/lab"
	"sockeye/link"
)

// A running is a lab that is up: bob and web on a switch, and far behind a router and a slow cable.
type running struct {
	net     *lab.Network
	hosts   map[string]*lab.Host
	members *labjoin.Members
	booted  chan string // hosts that listen, after each beginning
}

// labUp brings a lab of the name "demo" up, with its control socket.
func labUp(t *testing.T) *running {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	n := lab.New(t)
	lan, r := n.Switch("lan"), n.Router("r")
	up := &running{net: n, hosts: map[string]*lab.Host{"r": r}, booted: make(chan string, 100)}
	for _, name := range []string{"bob", "web", "far"} {
		h := n.Host(name)
		up.hosts[name] = h
		h.Program(func() {
			l := h.MustListen("tcp", ":80")
			up.booted <- name
			http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "%s greets %s\n", name, strings.Join(names(n, r.RemoteAddr), " "))
			}))
		})
	}
	n.Link(up.hosts["bob"], lan)
	n.Link(up.hosts["web"], lan)
	n.Link(r, lan)
	n.Link(r, up.hosts["far"], link.Faults{Delay: 20 * time.Millisecond})
	up.members = labjoin.NewMembers(func(host string) *lab.Host { return up.hosts[host] })
	mux := http.NewServeMux()
	mux.Handle("GET /hosts/{host}/join", up.members)
	l, err := labctl.Listen("demo")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	go server.Serve(l)
	t.Cleanup(func() {
		server.Close()
		up.members.Close()
	})
	return up
}

// names are the hosts that have an address.
func names(n *lab.Network, address string) (list []string) {
	host, _, _ := net.SplitHostPort(address)
	for name, addrs := range n.Names() {
		for _, ip := range addrs {
			if ip.String() == host {
				list = append(list, name)
			}
		}
	}
	return list
}

// asHost runs a program as a host of the lab, once for each user.
func asHost(t *testing.T, f func(t *testing.T, up *running, join func(host string, words ...string) *process)) {
	for _, u := range users {
		t.Run(u.name, func(t *testing.T) {
			f(t, labUp(t), func(host string, words ...string) *process {
				t.Helper()
				args := append([]string{"run", "--join", "demo/" + host, "--"}, words...)
				return start(t, u.as(exec.Command(os.Args[0], args...)))
			})
		})
	}
}

func TestAnUnmodifiedProgramIsAHostOfALab(t *testing.T) {
	asHost(t, func(t *testing.T, up *running, join func(string, ...string) *process) {
		for _, version := range []string{"-4", "-6"} {
			join("bob", "curl", version, "-sS", "http://web").ends(0, "web greets bob\n")
			join("bob", "curl", version, "-sS", "http://far").ends(0, "far greets bob\n") // by way of the router
			join("far", "curl", version, "-sS", "http://web").ends(0, "web greets far\n") // on a cable
		}
		p := join("bob", "ping", "-4", "-c", "2", "-i", "0.01", "far")
		ms, err := strconv.ParseFloat(p.out.match(t, regexp.MustCompile(`rtt min/avg/max/mdev = ([\d.]+)/`)), 64)
		if err != nil || ms < 40 {
			t.Errorf("a ping of 20 ms each way took %v ms, %v", ms, err)
		}
		p.status()
		if got := up.net.Ladder(up.hosts["bob"], up.hosts["far"]); !strings.Contains(got, "type 8 code 0") {
			t.Errorf("the ladder does not show the ping:\n%s", got)
		}
		if p := join("bob", "curl", "-sS", "http://nobody"); p.status() != 6 { // CURLE_COULDNT_RESOLVE_HOST
			t.Errorf("the name of nobody: %s", p.err.text())
		}
	})
}

func TestHostsOfALabReachAProgram(t *testing.T) {
	asHost(t, func(t *testing.T, up *running, join func(string, ...string) *process) {
		p := join("bob", os.Args[0], "listen", "--exec", "echo from a program", "80")
		p.err.await(t, "listening on tcp://[::]:80\n")
		conn, err := up.hosts["far"].Dial("tcp", "bob:80")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got, err := io.ReadAll(conn); string(got) != "from a program\n" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		p.status()
	})
}

func TestARouterOfALabIsAProgramToo(t *testing.T) {
	asHost(t, func(t *testing.T, up *running, join func(string, ...string) *process) {
		p := join("r", "sh", "-c", "echo ready; read x")
		p.out.await(t, "ready")
		client := http.Client{Transport: up.hosts["far"].Transport()}
		r, err := client.Get("http://web")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if got, err := io.ReadAll(r.Body); string(got) != "web greets far\n" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestTheHostIsTheLabsAgainAfterTheProgram(t *testing.T) {
	up := labUp(t)
	join := func(words ...string) *process {
		return run(t, append([]string{"run", "--join", "demo/bob", "--"}, words...)...)
	}
	up.net.Names() // it comes to life
	for <-up.booted != "bob" {
	}
	for _, end := range []func(p *process){
		func(p *process) { p.write("\n") },
		func(p *process) { p.cmd.Process.Kill() },
	} {
		p := join("sh", "-c", "echo ready; read x")
		p.out.await(t, "ready")
		taken := run(t, "run", "--join", "demo/bob", "--", "true")
		taken.ends(125, "")
		taken.err.await(t, `sockeye: --join demo/bob: the host "bob" is another program already`)
		end(p)
		p.status()
		for <-up.booted != "bob" {
		}
		client := http.Client{Transport: up.hosts["web"].Transport()}
		r, err := client.Get("http://bob")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if got, err := io.ReadAll(r.Body); string(got) != "bob greets web\n" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestTheEndOfALabIsTold(t *testing.T) {
	up := labUp(t)
	p := run(t, "run", "--join", "demo/bob", "--", "sh", "-c", "echo ready; read x; exit 4")
	p.out.await(t, "ready")
	up.members.Close()
	p.err.await(t, "sockeye: the lab demo has ended: the program has no network any more\n")
	p.write("\n")
	p.ends(4, "ready\n")
}

func TestJoinSaysWhatIsWrong(t *testing.T) {
	labUp(t)
	for args, want := range map[string]struct {
		status int
		text   string
	}{
		"--join demo true":               {2, `--join "demo": want LAB/HOST, as demo/alice`},
		"--join demo/a/b true":           {2, `--join "demo/a/b": want LAB/HOST, as demo/alice`},
		"--join other/bob true":          {125, `--join other/bob: no lab "other" is up; there is demo`},
		"--join demo/carol true":         {125, `--join demo/carol: there is no host "carol" in the lab`},
		"--join demo/bob --loss 1% true": {2, "--loss is for a network of the program's own; with --join it is on the lab's, where sockeye fault sets faults"},
	} {
		p := run(t, append([]string{"run"}, strings.Fields(args)...)...)
		p.ends(want.status, "")
		if got := p.err.text(); !strings.HasPrefix(got, "sockeye: "+want.text) {
			t.Errorf("%s: it told %q, want %q", args, got, want.text)
		}
	}
}
