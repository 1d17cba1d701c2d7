package chat_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"sockeye"
	"sockeye/cmd/sockeye/chat"
	"sockeye/kernel"
)

// A crowd is many members at once: some in each room speak, and all hear all of it, once and in each one's order.
type crowd struct {
	At       string
	Members  int
	Rooms    int
	Speakers int  // in each room
	Messages int  // of each speaker
	Length   int  // of a message, about
	Idle     bool // they only connect, with half a line
}

// inCrowd is the environment variable that makes the test binary a crowd on this machine: a process has no
// more descriptors than one side of 10,000 connections needs.
const inCrowd = "SOCKEYE_TEST_CROWD"

func TestMain(m *testing.M) {
	if text := os.Getenv(inCrowd); text != "" {
		var c crowd
		err := json.Unmarshal([]byte(text), &c)
		if err == nil {
			err = c.come(kernel.Host())
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// come is the crowd's whole visit. An idle one stays until standard input ends.
func (c crowd) come(hosts ...*sockeye.Host) error {
	var (
		first   error
		mu      sync.Mutex
		running sync.WaitGroup
		here    sync.WaitGroup // all are in their rooms
	)
	var conns []net.Conn
	fail := func(err error) { // and all leave
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = err
		}
		for _, conn := range conns {
			conn.Close()
		}
	}
	ready := make(chan struct{})
	here.Add(c.Members)
	dialing := make(chan bool, 100) // at once, for a backlog is not endless
	for i := range c.Members {
		running.Go(func() {
			dialing <- true
			conn, err := hosts[i%len(hosts)].Dial("tcp", c.At)
			var r *bufio.Reader
			if err == nil {
				defer conn.Close()
				mu.Lock()
				conns = append(conns, conn)
				mu.Unlock()
				r = bufio.NewReaderSize(conn, 512+c.Length)
				err = c.enter(conn, r, i)
			}
			<-dialing
			here.Done()
			if err != nil {
				fail(err)
				return
			}
			<-ready
			if !c.Idle {
				if err := c.talk(conn, r, i); err != nil {
					fail(err)
				}
			}
		})
	}
	here.Wait()
	if c.Idle && first == nil {
		fmt.Println("here")
		io.Copy(io.Discard, os.Stdin)
	}
	close(ready)
	running.Wait()
	return first
}

// enter lets a member come to its room.
func (c crowd) enter(conn net.Conn, r *bufio.Reader, i int) error {
	hello := fmt.Sprintf("/name m%d r%d\n", i, i%c.Rooms)
	if c.Idle {
		hello = hello[:6]
	}
	if _, err := io.WriteString(conn, hello); err != nil {
		return err
	}
	for !c.Idle {
		line, err := r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("m%d: %w after %q", i, err, line)
		}
		if strings.Contains(line, " here: ") {
			return nil
		}
	}
	return nil
}

// talk says what a speaker says, and hears all speakers of the room.
func (c crowd) talk(conn net.Conn, r *bufio.Reader, i int) error {
	var saying sync.WaitGroup
	defer saying.Wait()
	if i/c.Rooms < c.Speakers {
		saying.Go(func() {
			for n := range c.Messages {
				fmt.Fprintf(conn, "%d %s\n", n, strings.Repeat("x", c.Length)) // who hears it knows whether it was said
			}
		})
	}
	next := make(map[string]int)
	for heard := 0; heard < c.Speakers*c.Messages; {
		line, err := r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("m%d: %w after %d messages and %q", i, err, heard, line)
		}
		var who string
		var n int
		if _, err := fmt.Sscanf(line, fmt.Sprintf("[r%d] m%%s %%d", i%c.Rooms), &who, &n); err != nil {
			if strings.Contains(line, "] * ") {
				continue // presence
			}
			return fmt.Errorf("m%d hears %q", i, line)
		}
		if next[who] != n {
			return fmt.Errorf("m%d hears %q, and %d is the next of that speaker", i, line, next[who])
		}
		next[who]++
		heard++
	}
	return nil
}

// process runs the crowd as a process. said is what it writes.
func (c crowd) process(t *testing.T) (said *bufio.Reader, leave func()) {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), inCrowd+"="+string(text), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said = bufio.NewReader(out)
	return said, func() {
		in.Close()
		rest, _ := io.ReadAll(said)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the crowd: %v: %s", err, rest)
		}
	}
}

// crowds are the sizes; with -short a twentieth.
func crowds() map[string]crowd {
	all := map[string]crowd{
		"10,000 members in 10 rooms":                  {Members: 10_000, Rooms: 10, Speakers: 2, Messages: 10},
		"1,000 members in one room, of whom 20 speak": {Members: 1000, Rooms: 1, Speakers: 20, Messages: 20},
	}
	for name, c := range all {
		if testing.Short() {
			c.Members /= 20
			all[name] = c
		}
	}
	return all
}

func TestACrowdHearsAllThatIsSaidOnceAndInOrder(t *testing.T) {
	for name, c := range crowds() {
		t.Run(name, func(t *testing.T) {
			everyEngine(t, chat.Options{}, func(w *world) {
				c.At = w.at
				if w.net == nil {
					_, leave := c.process(t)
					leave()
				} else if err := c.come(w.members...); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Each member has more to hear than its queue holds, and none is dropped.
func TestNobodyIsDroppedWhereManyTalkAtOnce(t *testing.T) {
	c := crowd{Members: 100, Rooms: 1, Messages: 10, Length: 1000}
	if testing.Short() {
		c.Members = 30
	}
	c.Speakers = c.Members
	everyEngineNear(t, chat.Options{}, func(w *world) {
		c.At = w.at
		if err := c.come(w.members...); err != nil {
			t.Error(err)
		}
	})
}

func TestIdleConnectionsTakeLittleMemory(t *testing.T) {
	c := crowd{Members: 10_000, Rooms: 1, Idle: true}
	if testing.Short() {
		c.Members = 1000
	}
	h := kernel.Host()
	w := &world{t: t, server: h, members: []*sockeye.Host{h}, at: "127.0.0.1:0"}
	w.serve(chat.Options{})
	defer w.stop()
	c.At = w.at
	before := memory()
	said, leave := c.process(t)
	defer leave()
	if line, _ := said.ReadString('\n'); line != "here\n" {
		t.Fatalf("the crowd says %q", line)
	}
	// Who gives no name yet is served after all of them, who were accepted first.
	w.join("ann", "lobby").await("[lobby] * 1 is here: ann")
	const most = 16 << 10
	if each := (memory() - before) / c.Members; each > most {
		t.Errorf("an idle connection takes %d bytes, more than %d", each, most)
	} else {
		t.Logf("an idle connection takes %d bytes", each)
	}
}

// memory is what the heap and the stacks of goroutines take.
func memory() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
