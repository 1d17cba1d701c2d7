package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is a program in a process group of its own, so that the children
// that it leaves behind are stopped and counted with it.
type process struct {
	cmd    *exec.Cmd
	errors bytes.Buffer
	ended  chan struct{}
}

func start(name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Stderr = &p.errors
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// startSelf runs this program in one of its modes.
func startSelf(args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(self, args...)
}

func (p *process) stop() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// startupTime is how long a program may take until it listens.
const startupTime = 5 * time.Second

// listens waits until somebody is bound to the port, as /proc/net tells, which
// nobody who serves there notices.
func (p *process) listens(network string, port int) error {
	const tick = 5 * time.Millisecond // /proc has no events
	for range int(startupTime / tick) {
		if bound(network, port) {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended: %s", p.cmd, bytes.TrimSpace(p.errors.Bytes()))
		case <-time.After(tick):
		}
	}
	return fmt.Errorf("%s does not listen on port %d: %s", p.cmd, port, bytes.TrimSpace(p.errors.Bytes()))
}

func bound(network string, port int) bool {
	state := map[string]string{"tcp": "0A", "udp": "07"}[network] // TCP_LISTEN; TCP_CLOSE, which is UDP's unconnected
	for _, file := range []string{network, network + "6"} {
		table, _ := os.ReadFile("/proc/net/" + file)
		for line := range strings.Lines(string(table)) {
			f := strings.Fields(line)
			if len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && f[3] == state {
				return true
			}
		}
	}
	return false
}

// freePort gives a port of 127.0.0.1 that nobody uses.
func freePort(network string) (int, error) {
	if network == "udp" {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		defer c.Close()
		return c.LocalAddr().(*net.UDPAddr).Port, nil
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// cpu is the processor time that the process's group has used, those who have
// ended included.
func (p *process) cpu() time.Duration {
	const tick = 10 * time.Millisecond // sysconf(_SC_CLK_TCK) is 100 on Linux
	var sum time.Duration
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		_, rest, _ := bytes.Cut(stat, []byte(") ")) // proc_pid_stat(5): field 3 comes next
		f := strings.Fields(string(rest))
		if len(f) < 15 || f[2] != strconv.Itoa(p.cmd.Process.Pid) {
			continue
		}
		for _, field := range f[11:15] { // utime, stime, cutime, cstime
			n, _ := strconv.Atoi(field)
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

// values runs this program in a mode that prints its figures as JSON.
func values(ctx context.Context, args ...string) (map[string]float64, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return printed(exec.CommandContext(ctx, self, args...))
}

// printed runs a program that prints figures as JSON.
func printed(cmd *exec.Cmd) (map[string]float64, error) {
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args[1:], " "), err, bytes.TrimSpace(errors.Bytes()))
	}
	v := make(map[string]float64)
	return v, json.Unmarshal(out, &v)
}
