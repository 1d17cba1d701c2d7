package labup_test

import (
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/cmd/sockeye/labfile"
	"sockeye/cmd/sockeye/labup"
	"sockeye/stack"
)

// Whatever file the reader takes comes up and goes down again, or is refused with an error.
func FuzzStart(f *testing.F) {
	whole, err := os.ReadFile("../labfile/testdata/whole.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(labfile.Demo)
	f.Add([]byte(two))
	f.Add([]byte("hosts: {a: {addresses: [10.0.0.1/32, 'fd00::1/128']}, b: {nat: symmetric}}\nlinks: [between: [a, b], {between: [a, b], name: c}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := labfile.Parse("lab.yaml", text)
		if err != nil || len(file.Hosts)+len(file.Links) > 50 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			m := stack.NewHost(stack.Config{Name: "machine", Privileged: true})
			defer m.Close()
			l, err := labup.Start(file, labup.Config{
				Machine: m.Sockets(), AnyPort: true, Log: func(string) {}, Dir: t.TempDir(),
				Command: func(context.Context, string, []string) error { return nil },
			})
			if err != nil {
				return
			}
			defer l.Close()
			time.Sleep(time.Millisecond)
			l.State()
		})
	})
}
