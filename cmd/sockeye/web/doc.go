// Package web serves a folder over HTTP: files with ranges, validators and compression, pages of
// what is in a folder, and uploads where they are allowed. It is written against
// net.Listener, and so it runs on whichever sockets it is given: the kernel's, or those of a
// host in a lab.
//
// # What is served
//
// GET and HEAD give files (RFC 9110) with Last-Modified and a strong ETag of time and size, and
// answer If-None-Match, If-Modified-Since, If-Range and Range. A folder gives its index.html or
// else a page of what is in it, or the same as JSON to a client that accepts application/json and not
// text/html. What begins with a dot is not there, unless Hidden says so, and nothing outside
// of the folder is, whatever links lead to (os.Root).
//
// Text and the like are compressed with zstd or gzip for clients that accept it, unless they ask for a range;
// each encoding has an ETag of its own (RFC 9110 section 8.8.3.3).
//
// # Uploads
//
// With Upload, PUT makes a file, and a form on the folder's page does. The file has its name once
// all of it is there, and not before: what breaks off leaves nothing behind. A file that is there already
// is replaced only with If-Match (its ETag, or *), and else the answer is 409.
//
// # Limits
//
// A request's head has 64 KiB and 10 seconds. Whoever takes less than 256 KiB of an answer in a minute, or gives less of
// an upload, is cut off; so is a connection that is idle for two minutes. At most MaxConns connections are served at
// once, and the next ones wait to be accepted.
package web
