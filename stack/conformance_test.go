package stack_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sockeye"
	"sockeye/conformance"
	"sockeye/stack"
	"sockeye/stack/sock"
)

// withOtherFamilies are scenarios of unix sockets that pass sockets of AF_INET and
// AF_INET6.
var withOtherFamilies = []string{
	"a socket that still works", "in flight when the receiver closes", "options go with a socket",
	"several at once", "a socket of each kind", "TCP and UDP do not carry them",
}

func TestUnixSocketsAnswerAsLinuxDoes(t *testing.T) {
	for _, s := range conformance.Scenarios() {
		if !strings.Contains(s.Name, "unix") || slices.Contains(withOtherFamilies, s.Name[strings.LastIndex(s.Name, "/")+1:]) {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			sysctl := sock.DefaultSysctl()
			sysctl.MaxDgramQlen = 10
			for _, setting := range s.Needs.Sysctls {
				switch name, value, _ := strings.Cut(setting, "="); name {
				case "net.core.somaxconn":
					sysctl.Somaxconn, _ = strconv.Atoi(value)
				case "net.unix.max_dgram_qlen":
					sysctl.MaxDgramQlen, _ = strconv.Atoi(value)
				}
			}
			h := stack.NewHost(stack.Config{Privileged: !s.Needs.Unprivileged, Sysctl: &sysctl, Credentials: sockeye.Credentials{
				PID: int32(os.Getpid()), UID: uint32(os.Getuid()), GID: uint32(os.Getgid()),
			}})
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
