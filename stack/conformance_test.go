package stack_test

import (
	"strings"
	"testing"

	"sockeye/conformance"
	"sockeye/stack"
	"sockeye/stack/sock"
)

func TestUnixSocketsAnswerAsLinuxDoes(t *testing.T) {
	for _, s := range conformance.Scenarios() {
		if !strings.Contains(s.Name, "unix") {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			sysctl := sock.DefaultSysctl()
			sysctl.MaxDgramQlen = 10
			h := stack.NewHost(stack.Config{Privileged: !s.Needs.Unprivileged, Sysctl: &sysctl})
			host := h.Sockets()
			got, err := conformance.Run(s, conformance.Site{
				Host: host, Dir: "/run", Unlink: host.Unlink, Chmod: h.Chmod,
				RcvbufDefault: 212992, RcvbufMax: 212992, SndbufDefault: 212992, SndbufMax: 212992,
			})
			if err != nil {
				t.Error(err)
			}
			want, _ := conformance.Golden(s.Name)
			if d := conformance.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
