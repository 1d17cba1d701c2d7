//go:build linux && !386 && !s390x

package conformance_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"sockeye/conformance"
)

var update = flag.Bool("update", false, "write what this machine's kernel answers to testdata")

// TestKernelAnswersAsRecorded runs every scenario on the kernel, each in a
// network namespace of its own.
func TestKernelAnswersAsRecorded(t *testing.T) {
	var mu sync.Mutex
	got := make(map[string]string)
	t.Run("scenario", func(t *testing.T) {
		for _, s := range conformance.Scenarios() {
			t.Run(s.Name, func(t *testing.T) {
				t.Parallel()
				var transcript string
				err := inNamespace(s.Needs, func(at conformance.Site) (err error) {
					transcript, err = conformance.Run(s, at)
					return err
				})
				if err != nil {
					t.Fatalf("%v\n%s", err, transcript)
				}
				mu.Lock()
				got[s.Name] = transcript
				mu.Unlock()
				if *update {
					return
				}
				want, ok := conformance.Golden(s.Name)
				if !ok {
					t.Fatal("no golden transcript: record it with go test ./conformance -update")
				}
				if diff := conformance.Diff(want, transcript); diff != "" {
					t.Errorf("- as recorded, + this kernel:\n%s", diff)
				}
			})
		}
	})
	if *update && !t.Failed() {
		record(t, got)
	}
}

// record writes the golden files of the scenarios that were run.
func record(t *testing.T, got map[string]string) {
	var groups []string
	byGroup := make(map[string][]conformance.Scenario)
	for _, s := range conformance.Scenarios() {
		g := s.Group()
		if byGroup[g] == nil {
			groups = append(groups, g)
		}
		byGroup[g] = append(byGroup[g], s)
		if _, ok := got[s.Name]; !ok { // not chosen by -run
			got[s.Name], _ = conformance.Golden(s.Name)
		}
	}
	for _, g := range groups {
		text := conformance.Format("The answers of Linux "+release()+".", byGroup[g], got)
		if err := os.WriteFile(filepath.Join("testdata", g+".txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// release is the kernel's version, without what its builder added.
func release() string {
	var u unix.Utsname
	unix.Uname(&u)
	r := u.Release[:]
	end := bytes.IndexFunc(r, func(c rune) bool { return c != '.' && (c < '0' || c > '9') })
	return string(r[:end])
}

// TestScenariosAreWellNamed keeps names unique, and files free of what has no
// scenario any more.
func TestScenariosAreWellNamed(t *testing.T) {
	seen := make(map[string]bool)
	groups := make(map[string]bool)
	for _, s := range conformance.Scenarios() {
		if seen[s.Name] {
			t.Errorf("two scenarios are called %q", s.Name)
		}
		seen[s.Name], groups[s.Group()+".txt"] = true, true
	}
	if len(seen) < 300 {
		t.Errorf("%d scenarios, want at least 300", len(seen))
	}
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !groups[f.Name()] {
			t.Errorf("testdata/%s belongs to no group", f.Name())
		}
	}
}

func TestDiffShowsChangedLinesAmongTheirNeighbours(t *testing.T) {
	t.Parallel()
	const want = "1\n2\n3\n4\n5\n6\n7\n8\n9\n"
	if d := conformance.Diff(want, want); d != "" {
		t.Errorf("equal transcripts differ:\n%s", d)
	}
	got := conformance.Diff(want, "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n")
	const diff = "  ...\n  2\n  3\n  4\n- 5\n+ five\n  6\n  7\n  8\n  9\n+ 10\n  \n"
	if got != diff {
		t.Errorf("got\n%swant\n%s", got, diff)
	}
}
