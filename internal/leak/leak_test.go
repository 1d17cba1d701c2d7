package leak_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/stack"
)

// A verdict is a test that only notes what is said of it.
type verdict struct {
	testing.TB
	mu       sync.Mutex
	said     []string
	cleanups []func()
}

func (v *verdict) Cleanup(f func()) { v.cleanups = append(v.cleanups, f) }

func (v *verdict) Errorf(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.said = append(v.said, fmt.Sprintf(format, args...))
}

// of is what is said of a test that runs f.
func of(t *testing.T, f func(t testing.TB)) string {
	v := &verdict{TB: t}
	var wg sync.WaitGroup
	wg.Go(func() { // of its own, as tests are
		f(v)
		for i := len(v.cleanups) - 1; i >= 0; i-- {
			v.cleanups[i]()
		}
	})
	wg.Wait()
	return strings.Join(v.said, "\n")
}

func TestAGoroutineThatIsLeftMakesATestFail(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	var none chan struct{}
	for _, tt := range []struct {
		name string
		left func(t testing.TB)
		want string
	}{
		{"in a receive", func(testing.TB) { go func() { <-end }() }, "1 goroutines are left"},
		{"in a select", func(testing.TB) {
			go func() {
				select {
				case <-end:
				case <-none:
				}
			}()
		}, "1 goroutines are left"},
		{"of a goroutine that has ended", func(testing.TB) {
			var wg sync.WaitGroup
			wg.Go(func() { go func() { <-end }() })
			wg.Wait()
		}, "1 goroutines are left"},
		{"two", func(testing.TB) {
			for range 2 {
				go func() { <-end }()
			}
		}, "2 goroutines are left"},
		{"in a call on a host that was not closed", func(t testing.TB) {
			h := stack.NewHost(stack.Config{})
			l, err := h.Sockets().Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go l.Accept()
			go func() { <-end; h.Close() }()
		}, "2 goroutines are left"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			said := of(t, func(t testing.TB) {
				leak.Check(t)
				tt.left(t)
			})
			if !strings.HasPrefix(said, tt.want) || !strings.Contains(said, "leak_test.go") {
				t.Errorf("said was: %s", said)
			}
		})
	}
}

func TestGoroutinesThatEndAreNotLeft(t *testing.T) {
	for _, tt := range []struct {
		name string
		test func(t testing.TB)
	}{
		{"nothing", func(testing.TB) {}},
		{"one that is about to end", func(testing.TB) {
			end := make(chan struct{})
			for range 100 {
				go func() { <-end }()
			}
			close(end)
		}},
		{"one that works on", func(testing.TB) {
			go func() {
				for start := time.Now(); time.Since(start) < 20*time.Millisecond; {
				}
			}()
		}},
		{"one that a cleanup ends", func(t testing.TB) {
			end := make(chan struct{})
			t.Cleanup(func() { close(end) })
			go func() { <-end }()
		}},
		{"those of a host that was closed", func(t testing.TB) {
			h := stack.NewHost(stack.Config{})
			defer h.Close()
			l, err := h.Sockets().Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			for range 10 {
				go l.Accept()
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if said := of(t, func(t testing.TB) {
				leak.Check(t)
				tt.test(t)
			}); said != "" {
				t.Error(said)
			}
		})
	}
}

func TestGoroutinesOfOtherTestsAreNotCounted(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	var others sync.WaitGroup
	others.Go(func() {
		leak.Check(&verdict{TB: t})
		go func() { <-end }()
	})
	others.Wait()
	if said := of(t, func(t testing.TB) { leak.Check(t) }); said != "" {
		t.Error(said)
	}
}

func TestALoopWithSomethingScheduledMakesATestFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name string
			test func(l *event.Loop, e *event.Event)
			want string
		}{
			{"left", func(l *event.Loop, e *event.Event) {}, "a loop was left with something to do in 59m0s"},
			{"closed", func(l *event.Loop, e *event.Event) { l.Close() }, ""},
			{"nothing to do", func(l *event.Loop, e *event.Event) { l.Cancel(e) }, ""},
		} {
			var loop *event.Loop
			said := of(t, func(t testing.TB) {
				loop = leak.Loop(t)
				e := new(event.Event)
				loop.At(loop.Now().Add(time.Hour), e)
				time.Sleep(time.Minute)
				tt.test(loop, e)
			})
			if loop.Close(); said != tt.want {
				t.Errorf("%s: said was %q", tt.name, said)
			}
		}
	})
}

// What lives on networks in Go must leave nothing behind: its tests all ask for that.
func TestEveryTestOfTheGoEngineChecksForLeaks(t *testing.T) {
	for _, root := range []string{"event", "lab", "link", "stack", "interop"} {
		err := filepath.WalkDir(filepath.Join("..", "..", root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if ok && strings.HasPrefix(f.Name.Name, "Test") && f.Name.Name != "TestMain" && !checks(f) {
					t.Errorf("%s: %s does not begin with leak.Check(t)", path, f.Name.Name)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// checks tells whether a test begins with leak.Check(t).
func checks(f *ast.FuncDecl) bool {
	if len(f.Body.List) == 0 {
		return false
	}
	s, ok := f.Body.List[0].(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := s.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	called, ok := call.Fun.(*ast.SelectorExpr)
	return ok && fmt.Sprint(called.X) == "leak" && called.Sel.Name == "Check"
}
