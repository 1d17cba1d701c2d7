package labhttp

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// NewToken draws a token, of 128 bits or more.
func NewToken() string { return rand.Text() }

// Protect stands before a handler at a TCP port of the loopback, which every program of the machine reaches and
// every web site's page that the user's browser shows.
//
// What a browser sends must be meant for this server: its Host is the loopback's with the port that it came to, so
// that a name which leads here by DNS (rebinding) does not; its Origin, if it has one, is this server's own, and
// so is the site that Sec-Fetch-Site tells of, so that other pages neither ask nor change anything.
//
// What is secret, all but the page's own files, takes the token: as "Authorization: Bearer TOKEN", or as the cookie
// that GET /?token=TOKEN sets. The cookie is kept from scripts and from other sites (HttpOnly, SameSite=Strict) and
// bears the port in its name, for cookies know no ports: another server on the machine's loopback that the same browser
// opens is sent it too.
func Protect(h http.Handler, token string) http.Handler {
	want := sha256.Sum256([]byte(token))
	right := func(given string) bool {
		got := sha256.Sum256([]byte(given)) // of one length, so that no time tells of the token's
		return subtle.ConstantTimeCompare(got[:], want[:]) == 1
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		port, err := own(r)
		if err != nil {
			reply(w, nil, err)
			return
		}
		cookie := "sockeye-" + port
		query := r.URL.Query()
		switch {
		case r.URL.Path == "/" && query.Has("token") && right(query.Get("token")):
			http.SetCookie(w, &http.Cookie{Name: cookie, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
			http.Redirect(w, r, "/", http.StatusSeeOther) // so that the token is not in the history
			return
		case !secret(r.URL.Path),
			right(bearer(r)),
			slices.ContainsFunc(r.CookiesNamed(cookie), func(c *http.Cookie) bool { return right(c.Value) }):
			h.ServeHTTP(w, r)
			return
		}
		ask(w, r, query.Has("token"))
	})
}

// own checks that a request is meant for this server and comes from a page of it, or from no page. It gives
// the port.
func own(r *http.Request) (port string, err error) {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || !local.IP.IsLoopback() {
		return "", refuse(http.StatusForbidden, "this connection came to %v: the page is for this machine alone", r.Context().Value(http.LocalAddrContextKey))
	}
	port = fmt.Sprint(local.Port)
	name, at, err := net.SplitHostPort(r.Host)
	if err != nil { // no port: HTTP's own
		name, at = strings.Trim(r.Host, "[]"), "80"
	}
	if ip, err := netip.ParseAddr(name); at != port || !strings.EqualFold(name, "localhost") && (err != nil || !ip.IsLoopback()) {
		return "", refuse(http.StatusForbidden, "the Host is %q: the page is at http://localhost:%s", r.Host, port)
	}
	for _, origin := range r.Header.Values("Origin") {
		if !strings.EqualFold(origin, "http://"+r.Host) {
			return "", refuse(http.StatusForbidden, "the Origin is %q: only pages of http://%s may ask", origin, r.Host)
		}
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "", "same-origin", "none":
	default:
		if r.Method != http.MethodGet || r.URL.Path != "/" || r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			return "", refuse(http.StatusForbidden, "the request comes from another site (Sec-Fetch-Site is %q): only pages of http://%s may ask", site, r.Host)
		}
	}
	return port, nil
}

// bearer is the token of an Authorization header.
func bearer(r *http.Request) string {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") {
		return ""
	}
	return token
}

// secret tells whether something takes the token.
func secret(path string) bool {
	return path == "/" || strings.HasPrefix(path, "/api/") || path == "/api"
}

// ask asks for the token.
func ask(w http.ResponseWriter, r *http.Request, wrong bool) {
	text := "the token is missing"
	if wrong {
		text = "the token is wrong"
	}
	if r.URL.Path != "/" {
		reply(w, nil, refuse(http.StatusUnauthorized, "%s: open the page with the address that the terminal shows, or send Authorization: Bearer TOKEN", text))
		return
	}
	protective(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusUnauthorized)
	fmt.Fprintf(w, askPage, text)
}

const askPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sockeye</title>
<link rel="stylesheet" href="/style.css">
<body class="ask">
<form>
<h1>Sockeye</h1>
<p>This lab is private, and %s. The terminal that runs it shows the token.</p>
<label>Token <input name="token" autocomplete="off" autofocus required></label>
<button>Open</button>
</form>
`
