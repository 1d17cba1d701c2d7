package labhttp_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sockeye/cmd/sockeye/labhttp"
	"sockeye/link"
)

// page serves the site as sockeye up does, and gives its address.
func (s *site) page() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- labhttp.Serve(ctx, l, labhttp.Protect(s.view, token)) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
	return "http://" + l.Addr().String() + "/"
}

// The lab as somebody meets it who opens its page.
func TestThePageInChromium(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t, 1280, 860)
	url := s.page()

	// The page asks for the token, and opens with it.
	b.do(chromedp.Navigate(url))
	b.sees(`//form//p[contains(., "the token is missing")]`)
	b.do(chromedp.SendKeys("input", "WRONG"+kb.Enter))
	b.sees(`//form//p[contains(., "the token is wrong")]`)
	b.do(chromedp.SendKeys("input", token+kb.Enter))
	b.sees(`//h1[contains(., "test")]`)
	if at, err := chromedp.Run(b.ctx, chromedp.Location()); at != url || err != nil {
		t.Errorf("the address is %s, not %s, without the token: %v", at, url, err)
	}

	// It shows the nodes and the links.
	for _, name := range []string{"alice", "bob", "web", "r", "lan"} {
		b.sees(fmt.Sprintf(`//*[@data-kind="host" and @data-key="%s"]`, name))
	}
	b.sees(`//*[@id="forwards"]/li[contains(., "tcp://127.0.0.1:8080 → web:7")]`)

	// A host's sockets come and go.
	b.click(`[data-kind="host"][data-key="alice"]`)
	b.sees(`//h2[text()="Host alice"]`, `//p[text()="It has no sockets."]`)
	c := s.connect()
	b.sees(`//*[@id="sockets"]//td[text()="ESTABLISHED"]`)

	// The ladder of the conversation grows.
	b.sees(`//*[@id="conversations"]/button[contains(., "alice:") and contains(., "⇄ web:7") and @aria-pressed="true"]`,
		`//*[@id="ladder"]//li[span="SYN-SENT" and contains(., "SYN 0 win 64240")]`, `//*[@id="ladder"]//li[contains(., "1:6 ack 1")]`)
	fmt.Fprint(c, "again")
	b.sees(`//*[@id="ladder"]//li[contains(., "6:11 ack 6")]`)
	b.picture("host")

	// A click sets a fault, on top of what there is.
	b.click(`[data-kind="link"][data-key="wan"]`)
	b.sees(`//h2[text()="Link wan"]`)
	b.click(`[data-word="rate=1mbit"]`)
	b.has(`//*[@data-kind="link" and @data-key="wan"]/*[local-name()="title" and contains(., "r to web: 1ms, 1mbit; web to r: 2ms, 1mbit")]`)
	if got := s.wan.Faults(s.web); got != (link.Faults{Delay: 2 * time.Millisecond, Rate: 1e6}) {
		t.Errorf("the faults are %v", got)
	}
	b.picture("link")

	// The form sets what was typed, one way.
	b.click(`input[name="way"][value="r"]`)
	b.do(chromedp.SetValue("#fault-delay", "30ms"),
		chromedp.SendKeys("#fault-jitter", "5ms"+kb.Enter))
	b.has(`//*[@data-kind="link" and @data-key="wan"]/*[local-name()="title" and contains(., "r to web: 30ms ±5ms, 1mbit; web to r: 2ms, 1mbit")]`)

	// What makes no sense is told.
	b.do(chromedp.SendKeys("#fault-loss", "plenty"+kb.Enter))
	b.sees(`//p[@role="alert" and text()="loss=plenty: want a share, as 10% or 0.1"]`)

	// A link that is cut loses packets; mended, it brings them.
	b.click(`input[name="way"][value=""]`)
	b.click("#cut")
	b.sees(`//button[@id="cut" and text()="Mend"]`, `//*[@data-key="wan"]/*[contains(@class, "down")]`)
	fmt.Fprint(c, "lost?")
	b.sees(`//*[@id="ladder"]//li[contains(@class, "lost") and contains(., "11:16 ack 11") and contains(., "partitioned on wan")]`)
	if n := s.wan.Stats(s.network.Hosts()[3]).Packets[link.Partitioned]; n == 0 {
		t.Error("the link lost nothing")
	}
	b.picture("cut")
	b.click("#cut")
	b.sees(`//button[@id="cut" and text()="Cut"]`)
	if _, err := io.ReadFull(c, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	b.sees(`//*[@id="ladder"]//li[contains(@class, "arrived") and contains(., "11:16 ack 11") and contains(., "retransmission")]`)
	b.click("#clear")
	b.has(`//*[@data-kind="link" and @data-key="wan"]/*[local-name()="title" and contains(., "r to web: no faults; web to r: no faults")]`)

	// A host crashes with its sockets, and comes back with its programs.
	b.do(chromedp.KeyEvent(kb.Escape))
	b.sees(`//h2[text()="The lab"]`)
	b.do(chromedp.Focus(`[data-kind="host"][data-key="web"]`), chromedp.KeyEvent(kb.Enter)) // by keyboard
	b.sees(`//h2[text()="Host web"]`, `//*[@id="sockets"]//td[text()="LISTEN"]`)
	b.click("#crash")
	b.sees(`//p[text()="It has no sockets."]`, `//*[@data-key="web" and contains(@class, "crashed")]`)
	if s.web.IsUp() {
		t.Error("web did not crash")
	}
	b.click("#restart")
	b.sees(`//*[@id="sockets"]//td[text()="LISTEN"]`)
	b.do(chromedp.SetValue("#peer", "bob"), chromedp.SendKeys("#pair-faults", "delay=20ms loss=5%"+kb.Enter))
	b.sees(`//li[text()="bob → web: delay=20ms loss=5%"]`)
	if got := s.network.FaultsFromTo(s.bob, s.web); got != (link.Faults{Delay: 20 * time.Millisecond, Loss: 0.05}) {
		t.Errorf("from bob to web there are %v", got)
	}
	b.click("#isolate")
	b.sees(`//p[contains(text(), "Parted from alice, bob, r")]`)
	b.picture("parted")
	b.click("#join")
	b.misses(`//p[contains(text(), "Parted from")]`)

	// Another lab takes its place.
	s.bob.Crash()
	b.sees(`//*[@data-key="bob" and contains(@class, "crashed")]`)
}

func TestThePageFitsAPhoneInTheDark(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t, 390, 800)
	dark := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, dark); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(390, 800, chromedp.EmulateMobile), chromedp.Navigate(s.page()+"?token="+token))
	s.connect()
	b.sees(`//*[@id="ladder"]//li[contains(., "1:6 ack 1")]`)
	fits := func(what string) {
		t.Helper()
		width, err := chromedp.Run(b.ctx, chromedp.Evaluate[int]("document.documentElement.scrollWidth"))
		if err != nil || width > 390 {
			t.Errorf("%s is %d pixels wide: %v", what, width, err)
		}
		b.picture(what)
	}
	fits("phone")
	b.click(`[data-kind="host"][data-key="web"]`)
	b.sees(`//*[@id="sockets"]//td[text()="ESTABLISHED"]`)
	fits("phone-host")
	b.click("#close")
	b.click(`[data-kind="link"][data-key="wan"]`)
	b.sees(`//h2[text()="Link wan"]`)
	fits("phone-link")
}
