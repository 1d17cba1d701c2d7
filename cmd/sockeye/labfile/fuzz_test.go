package labfile_test

import (
	"errors"
	"os"
	"slices"
	"testing"

	"sockeye/cmd/sockeye/labfile"
)

// Whatever the text is, it is a lab in which every name leads to something, or errors with places in it.
func FuzzParse(f *testing.F) {
	whole, err := os.ReadFile("testdata/whole.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(labfile.Demo)
	for _, c := range bad {
		f.Add([]byte(c.text))
	}
	f.Add([]byte("hosts: &a {web: *a}\n"))
	f.Add([]byte("a: &a [x, x, x]\nb: &b [*a, *a, *a]\nswitches: [*b, *b, *b]\nhosts: {}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := labfile.Parse("lab.yaml", text)
		if err != nil {
			wrong, ok := errors.AsType[*labfile.Errors](err)
			if !ok || len(wrong.List) == 0 {
				t.Fatalf("the error %v has no places", err)
			}
			for _, e := range wrong.List {
				if e.Line < 1 || e.Column < 1 || e.Text == "" {
					t.Fatalf("the error %+v has no place", e)
				}
			}
			return
		}
		var nodes []string
		for _, h := range file.Hosts {
			nodes = append(nodes, h.Name)
		}
		nodes = append(nodes, file.Switches...)
		for _, l := range file.Links {
			if !slices.Contains(nodes, l.Ends[0]) || !slices.Contains(nodes, l.Ends[1]) {
				t.Fatalf("link %s is between %q", l.Name, l.Ends)
			}
		}
		for _, e := range file.Schedule {
			if name := e.Link + e.Cut; name != "" && file.Link(name) == nil || e.Crash != "" && file.Host(e.Crash) == nil {
				t.Fatalf("event %v has no target", &e)
			}
		}
	})
}
