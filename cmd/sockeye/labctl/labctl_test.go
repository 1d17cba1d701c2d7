package labctl_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sockeye/cmd/sockeye/labctl"
)

// listen opens the socket of a lab that answers every request with its name.
func listen(t *testing.T, name string) net.Listener {
	t.Helper()
	l, err := labctl.Listen(name)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, name) })}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return l
}

func TestLabsAreFoundByName(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	if _, err := labctl.Choose(""); err != labctl.ErrNone {
		t.Errorf("without a lab: %v", err)
	}
	listen(t, "one")
	if name, err := labctl.Choose(""); name != "one" || err != nil {
		t.Errorf("with one lab: %q, %v", name, err)
	}
	listen(t, "two")
	for given, want := range map[string]string{
		"":      "several labs are up: one, two; say which one, as --lab one",
		"three": `no lab "three" is up; there is one, two`,
	} {
		if _, err := labctl.Choose(given); err == nil || err.Error() != want {
			t.Errorf("choosing %q: %v, want %s", given, err, want)
		}
	}
	r, err := labctl.Client("two").Get("http://lab/")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, err := io.ReadAll(r.Body); string(b) != "two" {
		t.Errorf("the lab two is %q, %v", b, err)
	}
	if _, err := labctl.Dial(context.Background(), "three"); err == nil || err.Error() != `no lab "three" is up; there is one, two` {
		t.Errorf("dialing three: %v", err)
	}
}

func TestASocketThatWasLeftBehindGivesWay(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	l := listen(t, "demo")
	if _, err := labctl.Listen("demo"); err != (labctl.RunningError{Name: "demo"}) {
		t.Errorf("a second lab of the name: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if names, err := labctl.Names(); len(names) != 0 || err != nil {
		t.Errorf("labs that are gone: %q, %v", names, err)
	}
	if _, err := labctl.Dial(context.Background(), "demo"); err != labctl.ErrNone {
		t.Errorf("dialing one that is gone: %v", err)
	}
	listen(t, "demo")
}

func TestTheDirectoryIsTheUsersOwn(t *testing.T) {
	run := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", run)
	dir, err := labctl.Dir()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := labctl.Listen("demo"); err == nil || !strings.HasPrefix(err.Error(), dir+" is not a directory of your own that nobody else may enter; ") {
		t.Errorf("with a directory that others may enter: %v", err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := labctl.Dir(); err == nil {
		t.Error("a link to a directory is taken")
	}
	os.Remove(dir)
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", run)
	if dir, err := labctl.Dir(); filepath.Dir(dir) != run || err != nil {
		t.Errorf("without XDG_RUNTIME_DIR the directory is %s, %v", dir, err)
	}
	t.Setenv("TMPDIR", filepath.Join(run, strings.Repeat("x", 100)))
	if err := os.Mkdir(os.Getenv("TMPDIR"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := labctl.Listen("demo"); err == nil || !strings.Contains(err.Error(), "is longer than the 107 bytes of a unix socket's path") {
		t.Errorf("with a long path: %v", err)
	}
}
