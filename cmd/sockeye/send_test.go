package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var codeTold = regexp.MustCompile(`--code (\S+)\n`)

func TestSendAndReceive(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		at      string
		coded   bool
		sent    string
		already string // content of a.txt at the receiver
		flags   []string
		status  int
		told    []string // of both sides
		there   map[string]string
	}{
		{"over TCP", "127.0.0.1:0", false, "hello", "", nil, 0, []string{"3 files and folders, 8 B in "}, map[string]string{"a.txt": "hello", "sub/b": "bee"}},
		{"with a code", "127.0.0.1:0", true, "hello", "", nil, 0, []string{"3 files and folders, 8 B in "}, map[string]string{"a.txt": "hello"}},
		{"over a unix socket", "unix:" + filepath.Join(t.TempDir(), "s"), false, "hello", "", nil, 0, nil, map[string]string{"a.txt": "hello"}},
		{"what is there already", "127.0.0.1:0", false, "hello", "hello", nil, 0, []string{"3 B in ", "5 B were there already"}, map[string]string{"a.txt": "hello"}},
		{"a clash", "127.0.0.1:0", false, "hello", "mine", nil, 1, []string{`"a.txt" was left out: another file has that name, and stays`, "1 file or folder not there as they should be"}, map[string]string{"a.txt": "mine", "sub/b": "bee"}},
		{"--replace", "127.0.0.1:0", false, "hello", "mine", []string{"--replace"}, 0, nil, map[string]string{"a.txt": "hello"}},
		{"--rename", "127.0.0.1:0", false, "hello", "mine", []string{"--rename"}, 0, []string{`"a.txt" is there as "a (1).txt"`}, map[string]string{"a.txt": "mine", "a (1).txt": "hello"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			from, to := t.TempDir(), t.TempDir()
			os.WriteFile(filepath.Join(from, "a.txt"), []byte(tt.sent), 0o644)
			os.Mkdir(filepath.Join(from, "sub"), 0o755)
			os.WriteFile(filepath.Join(from, "sub/b"), []byte("bee"), 0o644)
			if tt.already != "" {
				os.WriteFile(filepath.Join(to, "a.txt"), []byte(tt.already), 0o644)
			}
			if tt.coded {
				tt.flags = append(tt.flags, "--code")
			}
			r := run(t, append([]string{"receive", tt.at, to}, tt.flags...)...)
			args := []string{"send", filepath.Join(from, "a.txt"), filepath.Join(from, "sub"), r.listening()}
			if tt.coded {
				args = append(args, "--code", strings.ToLower(r.err.match(t, codeTold)))
			}
			s := run(t, args...)
			s.ends(tt.status, "")
			r.ends(tt.status, "")
			for _, text := range tt.told {
				s.err.await(t, text)
				r.err.await(t, text)
			}
			for name, want := range tt.there {
				if got, _ := os.ReadFile(filepath.Join(to, name)); string(got) != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestReceiveWaitsForWhoKnowsTheCode(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	path := filepath.Join(from, "a")
	os.WriteFile(path, []byte("hello"), 0o644)
	r := run(t, "receive", "127.0.0.1:0", to, "--code")
	at, code := r.listening(), r.err.match(t, codeTold)
	for _, tt := range []struct {
		args []string
		told string
	}{
		{[]string{"--code", "AAAA-AAAA-AAAA-AAAA"}, "the two sides do not have the same code"},
		{nil, "both sides need the code, or neither"},
	} {
		s := run(t, append([]string{"send", path, at}, tt.args...)...)
		s.ends(statusNetwork, "")
		r.err.await(t, tt.told)
	}
	if list, _ := os.ReadDir(to); len(list) != 0 {
		t.Errorf("there is %v", list)
	}
	s := run(t, "send", path, at, "--code", "-")
	s.write(code + "\n")
	s.ends(0, "")
	r.ends(0, "")
}

func TestReceiveKeepGivesEachFileAsJSON(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	r := run(t, "receive", "127.0.0.1:0", to, "--keep", "--json")
	var e event
	if err := json.Unmarshal([]byte(r.err.match(t, regexp.MustCompile(`(?m)^(.*listening.*)$`))), &e); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		path := filepath.Join(from, name)
		os.WriteFile(path, bytes.Repeat([]byte(name), 1000), 0o644)
		run(t, "send", path, e.Address).ends(0, "")
	}
	r.signal(os.Interrupt)
	r.ends(130, `{"name":"one","state":"stored","bytes":3000}
{"name":"two","state":"stored","bytes":3000}
`)
}

func TestSendSaysWhatIsWrongWithTheCommandLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		told string
	}{
		{[]string{"send"}, "wants a PATH and an ADDR; try sockeye send film.mkv host:7000"},
		{[]string{"send", "main.go"}, "wants an ADDR behind main.go; try sockeye send main.go host:7000"},
		{[]string{"send", "nothing.here", "localhost:1"}, "nothing.here: no such file or directory"},
		{[]string{"send", "main.go", "../sockeye/main.go", "localhost:1"}, "would both be called main.go there"},
		{[]string{"send", "main.go", "udp://localhost:1"}, "send is for streams"},
		{[]string{"send", "main.go", "localhost:1", "--code", "xyz"}, "--code: a code is 16 letters"},
		{[]string{"receive"}, "wants ADDR; try sockeye receive 7000"},
		{[]string{"receive", "7000", "nothing.here"}, "nothing.here: no such file or directory"},
		{[]string{"receive", "7000", "--replace", "--rename"}, "choose one"},
	} {
		p := run(t, tt.args...)
		p.ends(statusUsage, "")
		p.err.await(t, tt.told)
	}
}
