// Package conformance is socket programs that hold every engine to the answers
// of the Linux kernel.
//
// A [Scenario] is a short run of socket calls on a host. [Run] makes the calls
// and gives a transcript, one line for each call with its result, in the manner
// of strace(1):
//
//	socket(AF_INET, SOCK_STREAM, 0) = 3
//	connect(3, 127.0.0.1:5000) = -1 ECONNREFUSED
//
// What a kernel answered is kept in testdata, in a file for each group of
// scenarios, and [Golden] gives it. The test of this package runs all scenarios
// on the machine's kernel, each in a network namespace of its own, and shows
// where it answers otherwise. It needs root or user namespaces, and the command
// ip of iproute2.
//
// # Adding a scenario
//
// Write it next to those of its subject, in the table of a file such as
// connect.go, as a plain list of calls without error handling:
//
//	{"to a bound socket that does not listen", func(x *calls, k kind) {
//		x.bound(k)
//		x.connect(x.opened(k), x.server(k))
//	}},
//
// What it needs beyond a host with a loopback (an Ethernet interface, a sysctl, no
// privilege) is in its [Needs]. Its transcript must not depend on time or
// machine: where something only becomes true a little later, such as a FIN that
// arrives, await waits for the event; servers bind to fixed ports, since no
// other program is there; ephemeral ports, process ids and directories are named
// in the transcript instead of told. Then record the answers, and read them:
//
//	go test ./conformance -update
//	git diff conformance/testdata
//
// With -run only the scenarios that it chooses are recorded anew:
// -run 'Recorded/scenario/connect'. The answers are those of the kernel that is
// named at the top of each file; kernels differ in details from release to
// release.
//
// # Holding another engine to the answers
//
// The test of an engine gives each scenario a fresh host, fitted out as
// [Scenario.Needs] and [Sysctls] say, and compares:
//
//	for _, s := range conformance.Scenarios() {
//		t.Run(s.Name, func(t *testing.T) {
//			got, err := conformance.Run(s, conformance.Site{Host: newHost(s.Needs), ...})
//			if err != nil {
//				t.Fatal(err)
//			}
//			want, _ := conformance.Golden(s.Name)
//			if diff := conformance.Diff(want, got); diff != "" {
//				t.Errorf("- kernel, + engine:\n%s", diff)
//			}
//		})
//	}
package conformance
