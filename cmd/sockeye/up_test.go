package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sockeye/cmd/sockeye/labup"
)

// A lab is sockeye up with its own runtime directory.
type upped struct {
	*process
	env []string
}

// up runs sockeye up in a directory of its own, where commands of the test find it.
func up(t *testing.T, args ...string) *upped {
	t.Helper()
	env := append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir())
	u := &upped{env: env}
	u.process = u.run(t, append([]string{"up"}, args...)...)
	return u
}

// run runs another command that finds the lab.
func (u *upped) run(t *testing.T, args ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = u.env
	return start(t, cmd)
}

// told waits for a line that the lab is to tell.
func (u *upped) told(pattern string) string {
	u.t.Helper()
	return u.err.match(u.t, regexp.MustCompile(pattern))
}

// fault runs sockeye fault and gives what it writes.
func (u *upped) fault(args ...string) string {
	u.t.Helper()
	p := u.run(u.t, append([]string{"fault"}, args...)...)
	if status := p.status(); status != 0 {
		u.t.Fatalf("sockeye fault %s ends with status %d: %s", strings.Join(args, " "), status, p.err.text())
	}
	return p.out.text()
}

func TestUpWithoutAFileSaysWhatToType(t *testing.T) {
	t.Parallel()
	u := up(t)
	u.told(`lab demo is up: 3 hosts, 3 links; Ctrl-C ends it`)
	url := u.told(`(?m)  curl (http://127\.0\.0\.1:\d+)  +# web:80, by way of laptop$`)
	tcp := u.told(`(?m)  nc 127\.0\.0\.1 (\d+)  +# talk:7, by way of laptop$`)
	udp := u.told(`(?m)  nc -u 127\.0\.0\.1 (\d+)  +# talk:7, by way of laptop$`)
	chat := u.told(`(?m)  nc 127\.0\.0\.1 (\d+)  +# talk:6667, by way of laptop$`)

	curl := tool(t, "curl", "-sS", url+"/bytes/100000")
	if curl.status() != 0 || len(curl.out.text()) != 100000 {
		t.Errorf("curl got %d bytes: %s", len(curl.out.text()), curl.err.text())
	}
	nc := tool(t, "nc", "-N", "127.0.0.1", tcp)
	nc.write("through the lab\n")
	nc.closeInput().ends(0, "through the lab\n")
	datagram := tool(t, "nc", "-u", "-W", "1", "127.0.0.1", udp)
	datagram.write("a datagram\n")
	datagram.out.await(t, "a datagram\n")

	ann, bob := tool(t, "nc", "127.0.0.1", chat), tool(t, "nc", "127.0.0.1", chat)
	ann.write("/name ann\n")
	ann.out.await(t, "you are ann")
	bob.write("/name bob\n")
	ann.out.await(t, "bob is here")
	bob.write("hello from bob\n")
	ann.out.await(t, "bob: hello from bob")

	u.signal(os.Interrupt)
	u.ends(0, "")
}

func TestFaultsAreSetFromAnotherTerminal(t *testing.T) {
	t.Parallel()
	u := up(t)
	u.told(`is up`)
	u.fault("wan", "loss=10%", "delay=200ms")
	u.told(`fault: wan loss=10% delay=200ms`)
	if got, want := u.fault(), "wan\tboth\tdelay=200ms rate=5mbit queue=64kb loss=10%\nweb-lan\tboth\tnone\ntalk-lan\tboth\tnone\n"; got != want {
		t.Errorf("the faults are\n%s, want\n%s", got, want)
	}
	u.fault("wan", "down")
	u.fault("wan", "--from", "laptop", "rate=1mbit")
	u.fault("web", "crash")
	u.fault("part", "laptop", "web,talk")
	if got, want := u.fault(), `wan	laptop	down delay=200ms rate=1mbit queue=64kb loss=10%
wan	lan	down delay=200ms rate=5mbit queue=64kb loss=10%
web-lan	both	none
talk-lan	both	none
web		crashed
laptop		parted from web
laptop		parted from talk
`; got != want {
		t.Errorf("the faults are\n%s, want\n%s", got, want)
	}
	var s labup.State
	if err := json.Unmarshal([]byte(u.fault("--json")), &s); err != nil || !s.Links[0].Ways[1].Down || s.Hosts[1].Up || len(s.Parted) != 2 {
		t.Errorf("as JSON they are %+v, %v", s, err)
	}
	u.fault("wan", "up", "--from", "lan")
	if got, want, _ := strings.Cut(u.fault(), "web-lan"); got != "wan\tlaptop\tdown delay=200ms rate=1mbit queue=64kb loss=10%\nwan\tlan\tdelay=200ms rate=5mbit queue=64kb loss=10%\n" {
		t.Errorf("with one way up again the faults are\n%s%s", got, want)
	}
	u.fault("wan", "clear")
	u.fault("web", "restart")
	u.fault("join")
	if got, want := u.fault(), "wan\tboth\tdelay=40ms rate=5mbit queue=64kb\nweb-lan\tboth\tnone\ntalk-lan\tboth\tnone\n"; got != want {
		t.Errorf("the faults are\n%s, want\n%s", got, want)
	}
	for args, want := range map[string]string{
		"wan lost=1%":       "sockeye: link wan: lost=1%: there is no such fault; there are ",
		"nan loss=1%":       `sockeye: there is no link or host "nan"; there are the links wan, web-lan, talk-lan, and the hosts laptop, web, talk`,
		"--lab other":       `sockeye: no lab "other" is up; there is demo`,
		"wan --from x down": `sockeye: link wan is between laptop and lan, and not at "x"`,
	} {
		p := u.run(t, append([]string{"fault"}, strings.Fields(args)...)...)
		if p.status() == 0 || !strings.HasPrefix(p.err.text(), want) {
			t.Errorf("sockeye fault %s ends with %d and %q, want %q", args, p.status(), p.err.text(), want)
		}
	}
}

func TestTheShellCompletesFaults(t *testing.T) {
	t.Parallel()
	u := up(t)
	u.told("is up")
	for args, want := range map[string]string{
		"":     "wan\nweb-lan\ntalk-lan\nlaptop\nweb\ntalk\npart\njoin\n",
		"web":  "crash\nrestart\n",
		"part": "laptop\nweb\ntalk\n",
		"wan":  "down\nup\nclear\nprofile=\ndelay=\n",
	} {
		p := u.run(t, append(append([]string{"__complete", "fault"}, strings.Fields(args)...), "")...)
		if p.status() != 0 || !strings.HasPrefix(p.out.text(), want) {
			t.Errorf("behind %q there may be\n%s, want\n%s", args, p.out.text(), want)
		}
	}
}

func TestFaultWithoutALabSaysSo(t *testing.T) {
	t.Parallel()
	u := &upped{env: append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir())}
	p := u.run(t, "fault", "wan", "down")
	p.ends(1, "")
	if got, want := p.err.text(), "sockeye: no lab is up; start one with sockeye up\n"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

func TestLabsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	u := up(t)
	u.told("is up")
	second := u.run(t, "up")
	second.ends(1, "")
	if got, want := second.err.text(), "sockeye: a lab \"demo\" is up already; end it, or give this one another name with --name\n"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	other := &upped{u.run(t, "up", "--name", "other"), u.env}
	other.told("lab other is up")
	p := u.run(t, "fault")
	p.ends(1, "")
	if got, want := p.err.text(), "sockeye: several labs are up: demo, other; say which one, as --lab demo\n"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	u.fault("--lab", "other", "wan", "loss=1%")
	other.told("fault: wan loss=1%")
	u.process.cmd.Process.Kill() // it leaves its socket behind
	u.status()
	again := &upped{u.run(t, "up"), u.env}
	again.told("lab demo is up")
}

const webFile = `
hosts:
  client: {forward: {0: "server:80"}}
  server: {run: [web: 80]}
links: [{name: wire, between: [client, server]}]
`

func TestAChangedFileIsAppliedAndABadOneIsNot(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "net.yaml")
	write := func(text string) {
		t.Helper()
		// As editors do: another file takes the place.
		if err := os.WriteFile(path+"~", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+"~", path); err != nil {
			t.Fatal(err)
		}
	}
	write(webFile)
	u := up(t, path)
	u.told(`lab net is up: 2 hosts, 1 link; `)
	url := u.told(`curl (\S+)`)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	write(strings.Replace(webFile, "server]}]", "server], delay: 1ms}]", 1))
	u.told(`changed as the file has it: link wire`)
	write("hosts:\n  client: {rotuer: true}\n")
	u.told(regexp.QuoteMeta(path) + `:2:12: a host has no setting "rotuer"; there are run, `)
	u.told(`the lab stays as it is, until the file is right`)
	if got := u.fault(); got != "wire\tboth\tdelay=1ms\n" {
		t.Errorf("the faults are %q", got)
	}
	// The connection from before lives.
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n")
	if b, err := io.ReadAll(conn); err != nil || !strings.Contains(string(b), "This is server in the lab net") {
		t.Errorf("the connection gives %q, %v", b, err)
	}
}

func TestAPageShowsTheLabToWhoHasTheToken(t *testing.T) {
	t.Parallel()
	u := up(t)
	url := u.told(`(?m)  (http://127\.0\.0\.1:\d+/\?token=\S+)$`)
	at, token, _ := strings.Cut(url, "/?token=")
	ask := func(header string) (int, string) {
		t.Helper()
		r, err := http.NewRequest("GET", at+"/api/state", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", header)
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		b, err := io.ReadAll(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, string(b)
	}
	if status, _ := ask("Bearer wrong"); status != http.StatusUnauthorized {
		t.Errorf("a wrong token gives status %d", status)
	}
	status, body := ask("Bearer " + token)
	for _, want := range []string{`"demo"`, `"wan"`, `"talk:6667"`, `"http://127.0.0.1:`} {
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("status %d, without %s: %s", status, want, body)
		}
	}
	none := &upped{u.run(t, "up", "--page", "none", "--name", "none"), u.env}
	none.told("its log is")
	if strings.Contains(none.err.text(), "token") {
		t.Errorf("without a page it says %s", none.err.text())
	}
	far := u.run(t, "up", "--page", "0.0.0.0:0", "--name", "far")
	far.ends(2, "")
	far.err.await(t, "the page is for this machine alone; want an address of the loopback")
}

func TestAHostMayBeAnUnmodifiedProgram(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "net.yaml")
	if err := os.WriteFile(path, []byte(`
hosts:
  web: {run: [web: 80]}
  real: {run: [command: [curl, -sS, "http://web/"]]}
  free:
switches: [lan]
links: [{between: [web, lan]}, {between: [real, lan]}, {between: [free, lan]}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	u := up(t, path)
	u.told(`real: This is web in the lab net. You are real at `)
	u.told(`real: command curl -sS http://web/ has ended`)
	p := u.run(t, "run", "--join", "net/free", "--", "curl", "-sS", "http://web/")
	p.out.await(t, "You are free at ")
	if p.status() != 0 {
		t.Error(p.err.text())
	}
	u.signal(os.Interrupt)
	u.ends(0, "")
}

func TestATerminalShowsWhatGoesOn(t *testing.T) {
	t.Parallel()
	outer, inner := pty(t)
	if err := unix.IoctlSetWinsize(int(inner.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120}); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir(), "TERM=xterm-256color")
	u := &upped{env: env}
	cmd := exec.Command(os.Args[0], "up")
	cmd.Env, cmd.Stdin, cmd.Stdout = env, inner, inner
	u.process = start(t, cmd)
	inner.Close()
	shown := newStream()
	go func() {
		io.Copy(shown, outer)
		shown.close()
	}()
	shown.await(t, "lab demo, up for")
	shown.await(t, "laptop → lan")
	u.fault("wan", "loss=10%")
	shown.await(t, "fault: wan loss=10%")
	if _, err := outer.Write([]byte{3}); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	u.ends(0, "")
}

func TestUpServesADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "site"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"lab.yaml": strings.Replace(webFile, "web: 80", "web: {port: 80, dir: site}", 1), "site/a.txt": "a file"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u := up(t, filepath.Join(dir, "lab.yaml"))
	r, err := http.Get(u.told(`curl (\S+)`) + "/a.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, err := io.ReadAll(r.Body); string(b) != "a file" {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestACaptureHasWhatPassesTheLinksOfEachNetwork(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, capture := filepath.Join(dir, "net.yaml"), filepath.Join(dir, "net.pcapng")
	if err := os.WriteFile(path, []byte(webFile), 0o600); err != nil {
		t.Fatal(err)
	}
	u := up(t, "--capture", capture, path)
	url := u.told(`curl (\S+)`)
	tool(t, "curl", "-sS", url+"/bytes/11").ends(0, "!\"#$%&'()*+")
	if err := os.WriteFile(path, []byte(strings.Replace(webFile, "links:", "  third:\nlinks:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	u.told(`changed as the file has it: the network, so that connections have ended`)
	tool(t, "curl", "-sS", url+"/bytes/12").ends(0, "!\"#$%&'()*+,")
	u.signal(os.Interrupt)
	u.ends(0, "")
	p := tool(t, "tshark", "-r", capture, "-Y", "http.request", "-T", "fields", "-e", "frame.interface_name", "-e", "http.request.uri")
	p.ends(0, "wire\t/bytes/11\nwire\t/bytes/12\n")
}

func TestUpGivesItsAddressesAsJSON(t *testing.T) {
	t.Parallel()
	u := up(t, "--json")
	port := u.told(`(?m)^{"event":"listening","address":"tcp://([^"]+)","target":"web:80"}$`)
	u.told(`(?m)^{"event":"page","address":"http://127\.0\.0\.1:\d+/\?token=\w+"}$`)
	u.fault("wan", "delay=0")
	u.told(`(?m)^{"event":"log","text":"fault: wan delay=0"}$`)
	r, err := http.Get("http://" + port)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, err := io.ReadAll(r.Body); !strings.HasPrefix(string(b), "This is web") {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestUpKeepsALog(t *testing.T) {
	t.Parallel()
	u := up(t)
	path := u.told(`(?m)its log is (\S+)$`)
	u.fault("wan", "loss=1%")
	u.signal(os.Interrupt)
	u.ends(0, "")
	text, err := os.ReadFile(path)
	if err != nil || !regexp.MustCompile(`(?m)^\S+T\S+ fault: wan loss=1%\n\S+ down$`).Match(text) {
		t.Errorf("the log is %q, %v", text, err)
	}
}

func TestUpTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("hosts: {web: {run: [wbe: 80]}}\nlinks: [{between: [web]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"up", bad}, "sockeye: " + bad + ":1:21: there is no program \"wbe\"; there are echo, web, chat, sink, source, command\n" +
			bad + ":2:9: a link is between two hosts or switches, as between: [client, server]\n"},
		{[]string{"up", "--check", bad}, "sockeye: " + bad + ":1:21: there is no program"},
		{[]string{"up", filepath.Join(dir, "none.yaml")}, "sockeye: stat " + filepath.Join(dir, "none.yaml") + ": no such file or directory\n"},
		{[]string{"up", "--name", "a b"}, `sockeye: "a b" cannot be a lab's name, which is of letters, digits and inner hyphens; give it one with --name`},
	} {
		p := run(t, c.args...)
		p.ends(2, "")
		if !strings.HasPrefix(p.err.text(), c.want) {
			t.Errorf("%q says %q, want %q", c.args, p.err.text(), c.want)
		}
	}
	run(t, "up", "--check").ends(0, "")
}
