package echo_test

import (
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"sockeye"
	"sockeye/echo"
	. "sockeye/internal/sockettest"
)

// With few descriptors a server serves some peers, and the others when the
// first have gone. The limit is that of a process of its own.
func TestServerOutOfDescriptorsServesAllInTheEnd(t *testing.T) {
	t.Parallel()
	const variable = "SOCKEYE_ECHO_UNDER_LIMIT"
	if path := os.Getenv(variable); path != "" {
		limit := syscall.Rlimit{Cur: 24, Max: 24}
		Check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
		s, _ := ListenAt(t, host, kinds[2], sockeye.SockaddrUnix(path))
		os.Stdout.WriteString("ready\n")
		Check(t, echo.Serve(t.Context(), s, nil))
		return
	}
	at := Address(t, sockeye.AF_UNIX)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), variable+"="+at.Path())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	Check(t, err)
	Check(t, cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if n, err := out.Read(make([]byte, 10)); n == 0 {
		t.Fatal("the server did not start:", err)
	}
	var wg sync.WaitGroup
	for range 100 {
		c := Dial(t, host, kinds[2], at)
		wg.Go(func() {
			defer c.Close()
			if _, err := c.Send([]byte("hello"), 0); err != nil {
				t.Error(err)
				return
			}
			if got := Receive(t, c, 5); string(got) != "hello" {
				t.Errorf("got %q", got)
			}
		})
	}
	wg.Wait()
}
