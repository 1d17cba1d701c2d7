package chat_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/cmd/sockeye/chat"
)

func TestAReaderWhoStopsIsDroppedAndToldWhyAndTheRestHearAll(t *testing.T) {
	t.Parallel()
	o := chat.Options{Rate: -1, Queue: 64 << 10}
	t.Run("plain", func(t *testing.T) { stoppedReader(t, o) })
	t.Run("TLS", func(t *testing.T) { stoppedReader(t, withTLS(t, o)) })
}

func stoppedReader(t *testing.T, o chat.Options) {
	everyEngine(t, o, func(w *world) {
		slow := w.join("slow", "lobby").narrow()
		ann, bob := w.join("ann", "lobby"), w.join("bob", "lobby")
		ann.await("[lobby] * bob is here")
		bob.await("[lobby] * 3 are here")

		text := strings.Repeat("x", 1000)
		go io.Copy(io.Discard, ann.r)
		window := make(chan bool, 16) // so many messages wait for bob at most
		left, heard := make(chan bool), make(chan int)
		go func() {
			n := 0
			for {
				line, err := bob.r.ReadString('\n')
				switch {
				case line == fmt.Sprintf("[lobby] ann: %d %s\n", n, text):
					n++
					<-window
				case line == "[lobby] * slow left: dropped: too slow: 64 KiB are waiting for you\n":
					close(left)
				case err != nil || line == "[lobby] * ann left\n":
					heard <- n
					return
				default:
					t.Errorf("after %d messages bob hears %.100q", n, line)
				}
			}
		}()
		said := 0
		for there := true; there; said++ {
			window <- true
			ann.say(fmt.Sprint(said, " ", text))
			select {
			case <-left:
				there = false
			default:
			}
		}
		ann.say("/quit")
		if n := <-heard; n != said {
			t.Errorf("ann said %d messages, and bob heard %d", said, n)
		}
		if got := slow.rest(); got != "* you are dropped: too slow: 64 KiB are waiting for you" {
			t.Errorf("the last that slow was told is %.100q", got)
		}
	})
}

func TestAReaderWhoTakesNothingInTimeIsDropped(t *testing.T) {
	t.Parallel()
	everyEngine(t, chat.Options{Rate: -1, Queue: 64 << 20, Stall: 200 * time.Millisecond}, func(w *world) {
		dead, ann := w.join("dead", "lobby").narrow(), w.join("ann", "lobby")
		text := strings.Repeat("x", 2000)
		for {
			ann.say(text)
			line := ann.line()
			if line == "[lobby] * dead left: dropped: too slow: nothing was taken for 200ms" {
				break
			}
			if line != "[lobby] ann: "+text && !strings.HasSuffix(line, " here: dead, ann") {
				t.Fatalf("ann hears %.100q", line)
			}
		}
		if got := dead.rest(); got != "* you are dropped: too slow: nothing was taken for 200ms" {
			t.Errorf("the last that dead was told is %.100q", got)
		}
	})
}

func TestALineThatIsTooLongIsRefusedAndTheNextOneHeard(t *testing.T) {
	t.Parallel()
	everyEngine(t, chat.Options{}, func(w *world) {
		ann := w.join("ann", "lobby")
		ann.await("[lobby] * 1 is here: ann")
		fits := strings.Repeat("x", chat.MaxLine)
		ann.say(fits, fits+"\r", fits+"y", fits+fits+fits, "still here")
		refused := "! that line was longer than 2048 bytes and was not said; send it in parts"
		ann.hears("[lobby] ann: "+fits, "[lobby] ann: "+fits, refused, refused, "[lobby] ann: still here")
	})
}

func TestALineWithoutEndEndsTheConnection(t *testing.T) {
	t.Parallel()
	everyEngine(t, chat.Options{}, func(w *world) {
		ann, mallory := w.join("ann", "lobby"), w.join("mallory", "lobby")
		go func() {
			mallory.conn.Write(make([]byte, 1<<20)) // the server may end it in the middle
		}()
		if got := ann.await("[lobby] * mallory left"); got != "[lobby] * mallory left: a line had no end in 64 KiB" {
			t.Errorf("ann is told %q", got)
		}
		mallory.await("* a line had no end in 64 KiB")
	})
}

func TestTheLastLineNeedsNoEnd(t *testing.T) {
	t.Parallel()
	everyEngine(t, chat.Options{}, func(w *world) {
		ann := w.join("ann", "lobby")
		bob := w.connect()
		io.WriteString(bob.conn, "/name bob\nhello\nand goodbye")
		bob.conn.(interface{ CloseWrite() error }).CloseWrite()
		ann.await("[lobby] * bob is here")
		ann.hears("[lobby] bob: hello", "[lobby] bob: and goodbye", "[lobby] * bob left")
		// bob is told all of it too.
		if got := bob.rest(); got != "[lobby] bob: and goodbye" {
			t.Errorf("the last that bob was told is %q", got)
		}
	})
}

func TestWhoGivesNoNameIsDropped(t *testing.T) {
	t.Parallel()
	everyEngine(t, chat.Options{Introduction: 100 * time.Millisecond}, func(w *world) {
		silent, half := w.connect(), w.connect()
		io.WriteString(half.conn, "/name hal")
		for _, g := range []*guest{silent, half} {
			if got := g.rest(); got != "* you are dropped: no name was given within 100ms: /name NAME gives one" {
				t.Errorf("the last line is %q", got)
			}
		}
	})
}

func TestHalfATLSHandshakeIsGivenUp(t *testing.T) {
	t.Parallel()
	inLab(t, 1, far, withTLS(t, chat.Options{Introduction: 10 * time.Second}), func(w *world) {
		for _, text := range []string{"", "\x16\x03\x01\x02\x00\x01", "/name ann\n"} {
			begin := time.Now()
			conn, err := w.members[0].Dial("tcp", w.at)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, text)
			io.Copy(io.Discard, conn)
			conn.Close()
			if took := time.Since(begin); took > 16*time.Second {
				t.Errorf("%q is given up after %v", text, took)
			}
		}
	})
}

func TestAFullServerSaysSo(t *testing.T) {
	t.Parallel()
	everyEngine(t, chat.Options{Members: 2, Title: "test"}, func(w *world) {
		w.join("ann", "lobby")
		bob := w.join("bob", "lobby")
		late := w.connect()
		if got := late.rest(); got != "* test is full, with 2 members: come again later" {
			t.Errorf("the third is told %q", got)
		}
		bob.say("/quit")
		bob.rest()
		w.join("carl", "lobby")
	})
}

func TestWhoWritesTooFastIsReadNoFaster(t *testing.T) {
	t.Parallel()
	inLab(t, 1, far, chat.Options{Rate: 10}, func(w *world) {
		g := w.join("ann", "lobby")
		g.await("[lobby] * 1 is here")
		begin := time.Now()
		const lines = 1000
		go func() {
			for i := range lines {
				g.say(fmt.Sprint(i))
			}
		}()
		for i := range lines {
			g.hears(fmt.Sprint("[lobby] ann: ", i))
		}
		// A burst of 50 was there, of which the name took one; the rest come ten a second.
		if took := time.Since(begin); took < 95*time.Second || took > 96*time.Second {
			t.Errorf("%d lines took %v", lines, took)
		}
	})
}

func TestLimitsOfRoomsAreTold(t *testing.T) {
	t.Parallel()
	inLab(t, 1, far, chat.Options{Rate: -1}, func(w *world) {
		ann := w.join("ann", "lobby")
		for i := range 9 {
			ann.say(fmt.Sprint("/join room", i))
			ann.await(fmt.Sprintf("[room%d] * 1 is here", i))
		}
		ann.say("/join more")
		ann.hears("! you are in 10 rooms, and more are not possible: /leave ROOM leaves one")
		// Rooms that were left make way for others.
		bob := w.join("bob", "lobby")
		for i := range 1200 {
			bob.say(fmt.Sprint("/join r", i), fmt.Sprint("/leave r", i))
			bob.await(fmt.Sprintf("[r%d] * bob left", i))
		}
		ann.say("/who r0", "/who r1199")
		ann.await("! there is no room r0; /rooms lists them")
		ann.hears("[r1199] * 0 are here")
	})
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	inLab(t, 1, far, chat.Options{Rate: -1}, func(w *world) {
		ann := w.join("ann", "lobby")
		for i := range 150 {
			ann.say(fmt.Sprint("short ", i))
		}
		ann.await("[lobby] ann: short 149")
		bob := w.join("bob", "lobby")
		bob.await("[lobby] * 2 are here")
		for i := range 100 {
			if line := bob.line(); !strings.HasSuffix(line, fmt.Sprint(" ann: short ", 50+i)) {
				t.Fatalf("history has %q at place %d", line, i)
			}
		}
		for range 40 {
			ann.say(strings.Repeat("x", 2000))
		}
		ann.say("after")
		ann.await("[lobby] ann: after")
		carl := w.join("carl", "lobby")
		carl.await("[lobby] * 3 are here")
		n := 0
		for ; !strings.HasSuffix(carl.line(), "ann: after"); n++ {
		}
		if n != 32 { // 64 KiB of lines of 2,000 bytes
			t.Errorf("history has %d long lines", n)
		}
	})
}

// A cut in the middle: who is cut off is dropped and the rest go on; the server is told in
// time that a member is there no more, though nothing ever ends the connection.
func TestAMemberBehindACutIsDroppedAndTheRestGoOn(t *testing.T) {
	t.Parallel()
	inLab(t, 3, far, chat.Options{}, func(w *world) {
		ann, bob := w.join("ann", "lobby"), w.join("bob", "lobby")
		w.join("carl", "lobby")
		w.links[2].Cut()
		begin := time.Now()
		ann.say("is anybody there?")
		bob.await("[lobby] ann: is anybody there?")
		if took := time.Since(begin); took > time.Second {
			t.Errorf("a message took %v", took)
		}
		if got := bob.await("[lobby] * carl left"); got != "[lobby] * carl left: the connection is lost" {
			t.Errorf("bob is told %q", got)
		}
		if took := time.Since(begin); took > time.Minute {
			t.Errorf("carl is missed after %v", took)
		}
		bob.say("carl is gone")
		ann.await("[lobby] bob: carl is gone")
		w.links[2].Mend()
		w.join("carl", "lobby").await("[lobby] * 3 are here: ann, bob, carl")
	})
}

func TestAServerThatCrashesIsNoticedAndComesBack(t *testing.T) {
	t.Parallel()
	inLab(t, 2, far, chat.Options{}, func(w *world) {
		ann := w.join("ann", "lobby")
		ann.await("[lobby] * 1 is here")
		w.serves.Crash()
		w.stop() // the sockets are gone: it has nobody to tell
		time.Sleep(time.Second)
		w.serves.Restart()
		w.server = w.serves.Sockets()
		w.serve(chat.Options{})
		ann.say("hello?")
		if _, err := ann.r.ReadByte(); err == nil || err == io.EOF {
			t.Errorf("a connection to a server that crashed reads %v", err)
		}
		w.join("ann", "lobby").await("[lobby] * 1 is here: ann")
	})
}

func TestAListenerThatFailsEndsTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := broken{make(chan struct{})}
		if err := chat.Serve(t.Context(), l, chat.Options{}); err != io.ErrUnexpectedEOF {
			t.Errorf("Serve gives %v", err)
		}
		<-l.closed
	})
}

// broken is a listener that fails.
type broken struct{ closed chan struct{} }

func (b broken) Accept() (net.Conn, error) { return nil, io.ErrUnexpectedEOF }
func (b broken) Addr() net.Addr            { return &net.TCPAddr{} }
func (b broken) Close() error              { close(b.closed); return nil }
