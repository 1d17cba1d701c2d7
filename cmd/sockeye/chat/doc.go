// Package chat is a chat server: rooms, names, history, private messages and presence, for
// people with nc, for programs and for browsers. It is written against net.Listener and
// net.Conn, so it runs on whichever sockets it is given: the kernel's, or those of a host
// in a lab.
//
// # The protocol
//
// Lines of UTF-8 go both ways, each ended by a line feed, with or without a carriage return before it.
// A line from a member that begins with a slash is a command, and any other is said in the
// member's room:
//
//	/name NAME [ROOM]   takes a name; the first time it enters ROOM too, or the lobby
//	/join ROOM          enters a room, or turns to one that the member is in already
//	/leave [ROOM]       leaves a room
//	/msg NAME TEXT      says something to one person alone
//	/who [ROOM]         lists who is in a room
//	/rooms              lists the rooms
//	/json               makes the server write JSON, one Event a line
//	/help               lists these commands
//	/quit [TEXT]        leaves
//	//TEXT              says /TEXT
//
// Until a member has a name, only /name, /json, /help and /quit are obeyed. A member may be in several
// rooms; what is typed goes to the one that was entered, or turned to, last.
//
// The server writes plain lines, as [Event.String] has them:
//
//	[lobby] ann: hello                    said in a room
//	[lobby] 16:04 ann: hello              said before you came (history; UTC)
//	[lobby] * bob is here                 presence: also "left", "is now"
//	[lobby] * 2 are here: ann, bob        what you enter, and the answer to /who
//	[ann -> bob] psst                     said to one alone, as both of them see it
//	* you are ann                         about yourself
//	! unknown command /nmae; try /name    what was wrong, and with what
//
// # What holds
//
// Who is in a room when a message is said there gets it once, and gets the messages of each
// sender in the order in which they were said. Who enters gets the room's last messages first, each once and
// without a gap to those that follow.
//
// No reader holds up another for more than a moment. What a member has not taken yet waits in a queue of its own; when
// that is full, or nothing of it was taken for a while, the member is dropped: the
// queue is thrown away, a last line tells why, and the rest see the member leave. The line gets through
// even to a reader that stopped reading, for its socket's buffer is made a little larger then. Where queues are filling,
// who says something waits for them, up to 20 ms and once for each reader that falls behind: so those who read as fast as
// they can are not dropped where many talk at once.
//
// # Limits
//
//   - a line: [MaxLine] bytes; a longer one is refused and skipped, and one that goes on for 64 KiB ends the connection
//   - a name, of a person or room: 24 letters, digits, '-', '_' and '.', beginning with a letter or digit; two
//     names are one if they differ in case or in Unicode's forms alone (RFC 8265)
//   - rooms a member may be in: 10; rooms at all: 1,000, of which the one that was empty longest makes way for another
//   - history: 100 messages and 64 KiB of a room
//   - what [Options] sets: members, lines a second, a queue's bytes, the time to give a name and to take what is sent
//
// Control characters, and those that turn the direction of text around, reach nobody: U+FFFD stands in
// their place. In a room of more than 100 people, comings and goings are told as numbers, once a second.
package chat
