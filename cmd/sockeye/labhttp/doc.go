// Package labhttp shows a running lab over HTTP, and sets faults on it: as JSON for programs, and as a
// page for people.
//
// A [View] is the handler of both. It shows one lab at a time, and another when it is told so. For
// whoever may use it freely, at a unix socket, it is served as it is; at a TCP port of the loopback
// [Protect] stands before it, which asks for a token and lets no other site's page in.
//
//	view := labhttp.NewView()
//	view.Show(labhttp.Lab{Name: "demo", Network: n})
//	go labhttp.Serve(ctx, socket, view)
//	go labhttp.Serve(ctx, port, labhttp.Protect(view, labhttp.NewToken()))
//
// # The API
//
// What is taken and given is JSON. Times are in seconds since the network was made. Faults are words
// as link.Faults.Set takes them, such as delay=40ms or loss=1%, and profile=3g for all of a kind of
// access, of which the user is at the link's first end.
//
//	GET  /api/state                   all of the lab: a [State]
//	GET  /api/hosts/{host}/sockets    the host's sockets: a [Sockets]
//	GET  /api/ladders                 the latest conversations, the newest first: a list of [Conversation]
//	GET  /api/ladders/{id}            one of them, with its last packets: a [Ladder]
//	GET  /api/settings                names of faults and profiles: a [Settings]
//	GET  /api/events                  a stream of what changes
//	POST /api/links/{link}            change faults of a link: takes a [Change]
//	POST /api/hosts/{host}/links      of all links of a host; with from, of what comes from that node
//	POST /api/pairs/{a}/{b}           of what two hosts send each other, wherever they are, besides those of links
//	POST /api/hosts/{host}/crash      pull a host's plug
//	POST /api/hosts/{host}/restart    and bring it back
//	POST /api/hosts/{host}/isolate    part a host from all others
//	POST /api/part                    part groups of hosts: takes a [Partition]
//	POST /api/join                    end all partitions
//
// Each POST answers with the [State] that it made. Whatever goes wrong is told as {"error": "..."}:
// 400 for what makes no sense, 404 for what is not there, 413 for a body above 64 KiB, 415 for one that is not
// declared as application/json, 503 when no lab is shown or too many streams are open.
//
// # The stream
//
// /api/events is a stream of server-sent events, each with JSON, sent when it has changed (at most
// four times a second):
//
//	state     a [State] without counters
//	traffic   a [Traffic]: the flows that moved
//	ladders   the latest conversations: a list of [Conversation]
//	sockets   with ?host=NAME, its [Sockets]
//	ladder    with ?ladder=ID, its [Ladder]
//
// Nothing is computed for it while nobody listens.
package labhttp
