package chat_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sockeye"
	"sockeye/cmd/sockeye/chat"
	"sockeye/kernel"
)

// A browser is headless Chromium. What is waited for is the state of the page.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func newBrowser(t *testing.T) *browser {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: it is in Debian's package chromium", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // root has none, and the page is our own
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf))
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("closing Chromium: %v", err)
		}
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return &browser{t, ctx}
}

func (b *browser) do(what string, action chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute) // in place of waiting for ever
	defer cancel()
	if err := chromedp.Do(ctx, action); err != nil {
		html, _ := chromedp.Run(b.ctx, chromedp.OuterHTML("body"))
		b.t.Fatalf("%s: %v; the page is:\n%s", what, err, html)
	}
}

// sees waits until an element shows a text.
func (b *browser) sees(id, text string) {
	b.t.Helper()
	path := fmt.Sprintf("//*[@id=%q]/descendant-or-self::*[contains(., %q)]", id, text)
	b.do("waiting for "+path, chromedp.WaitVisible(path))
}

// sends types a text into a field, and sends its form.
func (b *browser) sends(field, text string) {
	b.t.Helper()
	clear := fmt.Sprintf("document.querySelector(%q).value = ''", field)
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](clear)); err != nil {
		b.t.Fatalf("%s: %v", clear, err)
	}
	b.do("typing into "+field, chromedp.SendKeys(field, text+"\r"))
}

// The page as people meet it who open it.
func TestThePageInChromium(t *testing.T) {
	h := kernel.Host()
	w := &world{t: t, server: h, members: []*sockeye.Host{h}}
	_, host, stop := serveWeb(w, chat.Options{})
	defer stop()
	bob := w.join("bob", "lobby")
	bob.say("<b>not bold</b>")
	bob.await("[lobby] bob: <b>not bold</b>")

	b := newBrowser(t)
	b.do("opening the page", chromedp.Navigate("http://"+host+"/"))
	b.sends("#name", "bob")
	b.sees("refused", "bob is taken; try /name bob2")
	b.sends("#name", "web")
	b.sees("status", "You are web")
	b.sees("lines", "<b>not bold</b>") // as it was written
	b.sees("members", "bob")
	bob.await("[lobby] * web is here")
	b.sends("#line", "hello from the page")
	bob.await("[lobby] web: hello from the page")
	b.sees("lines", "hello from the page")

	bob.say("/msg web psst")
	b.sees("tabs", "@bob")
	b.do("turning to bob", chromedp.Click("#tabs button:last-child"))
	b.sees("lines", "psst")
	b.sends("#line", "what?")
	bob.await("[web -> bob] what?")

	b.sends("#line", "/join dev")
	b.sees("count", "1 here")
	b.sees("tabs", "dev")
	b.sends("#line", "/nmae x")
	b.sees("lines", "unknown command /nmae; try /name")
	b.sends("#line", "/leave")
	b.sees("lines", "hello from the page") // the lobby is shown again
	b.sends("#line", "/quit")
	b.sees("status", "bye")
	bob.await("[lobby] * web left")
}
