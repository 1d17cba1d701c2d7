// Package transfer sends files and folders over a connection. It is written against net.Conn, and so it runs on
// whichever sockets it is given: the kernel's, or those of a host in a lab.
//
// # Protocol
//
// A message is a frame: its length in four bytes, big endian, at most 16 KiB, and JSON. Both sides begin with a hello, with
// the version and, from the sender, how much there will be. Then
//
//	sender                                receiver
//	offer: name, type, size, mode, time   answer: how many bytes of it are there, with their digest
//	                                      or result: it is there, it clashes, or it can't be
//	start: at that byte, or at 0
//	data: offset, length; raw bytes       failing: it can't be written, do not go on
//	whole: the digest                     result: stored, clash or failed
//	or drop: why                          result: failed
//	end, after all of them                end
//
// Up to 64 offers may be ahead of the file whose data comes, so that small files do not wait for a round trip each. If the name is taken by a file of
// that size, the answer says so, and the sender compares digests and says same or differs. Raw bytes go by sendfile(2) where the
// connection can; a data frame has at most 1 MiB, within a block of that size. Stretches that
// no data frame has are holes (lseek(2), SEEK_DATA). Whoever computes for long sends busy frames.
//
// # What is there afterwards
//
// A file is written to ".NAME.part-" and sixteen digits, which stand for its name, size and time, and gets its name once it
// is whole and its digest is that of the sender. When a transfer breaks off the part stays, and the next one begins behind it, at
// its byte, if its digest is that of the sender's first bytes. What has a name already is left alone, unless
// OnClash says otherwise. Permissions and times of modification are kept; owners, hard links, attributes and the
// setuid, setgid and sticky bits are not.
//
// The digest is made of BLAKE3 over the blocks of 1 MiB that are not all zeros, each behind its number, and BLAKE3 over that sum, the size
// and the bytes behind the last whole block. So holes cost nothing, and the digest of a beginning is that of a file.
//
// # What a peer can do
//
// Nothing outside of the folder is written, whatever names and links a sender comes with (os.Root): names that
// lead out are refused, and so are links that do. Devices, pipes and sockets are neither sent nor made. A receiver holds at most 64 offers and 3 MiB of data for a connection.
// Whoever gives or takes less than 256 KiB in a minute is given up, unless it sends frames.
//
// With a Code the connection is TLS 1.3, and each side proves that it knows the code: HMAC-SHA256, under the code, of a key that
// both export from this very connection (RFC 8446 section 7.5). Somebody in between has a connection to each side with two
// different keys, and could use what a sender proves only by trying all of 2^80 codes within seconds.
// The receiver proves only to a sender that has proved. Without a code anybody who gets to the port may
// send, and anybody on the way may read and change everything; the digest is against accidents.
package transfer
