package labhttp_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// A browser is a page in headless Chromium. What is waited for is the state of its document.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func newBrowser(t *testing.T, width, height int) *browser {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: it is in Debian's package chromium", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(width, height))
	if os.Getuid() == 0 {
		// Chromium's sandbox is made of namespaces in which it is no longer root, and it refuses to start as root without
		// being told to do without. It opens only what this test serves.
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf))
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	console := chromedp.Console(ctx)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for m, err := range console {
			if err != nil {
				return
			}
			// Answers that refuse something are told as errors of the network.
			if m.IsException() || m.Type == chromedp.ConsoleError && m.Source != "network" {
				t.Errorf("the page says: %v", m)
			}
		}
	}()
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("closing Chromium: %v", err)
		}
		cancel()
		stop()
		<-read
	})
	return &browser{t, ctx}
}

// do does things one after the other.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	for _, a := range actions {
		b.wait("an action", a)
	}
}

// sees waits for elements that XPath expressions find.
func (b *browser) sees(paths ...string) {
	b.t.Helper()
	for _, p := range paths {
		b.wait(p, chromedp.WaitVisible(p))
	}
}

// has waits for an element that may be invisible, as a title.
func (b *browser) has(path string) {
	b.t.Helper()
	b.wait(path, chromedp.WaitReady(path))
}

// misses waits until there is no such element.
func (b *browser) misses(path string) {
	b.t.Helper()
	b.wait("no "+path, chromedp.WaitNotPresent(path))
}

func (b *browser) wait(what string, a chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute) // in place of waiting for ever
	defer cancel()
	if err := chromedp.Do(ctx, a); err != nil {
		html, _ := chromedp.Run(b.ctx, chromedp.OuterHTML("body"))
		b.t.Fatalf("waiting for %s: %v; the page is:\n%s", what, err, html)
	}
}

// click clicks on an element.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(selector))
}

// picture writes what is seen into a file, if SOCKEYE_PICTURES is a directory.
func (b *browser) picture(name string) {
	dir := os.Getenv("SOCKEYE_PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/"+name+".png", png, 0o666); err != nil {
		b.t.Error(err)
	}
}
