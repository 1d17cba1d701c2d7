// The lab's API: requests, and the stream of what changes.

// ask makes a request, a POST if there is a body, and gives the answer. It throws what the lab says was wrong.
export async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const r = await fetch("/api/" + path, options);
  const answer = await r.json();
  if (!r.ok) throw new Error(answer.error);
  return answer;
}

// listen opens the stream and gives a function that closes it. on has a function for each event, and on.status is told
// "" when the stream is open and else what is the matter.
export function listen(query, on) {
  let source, again;
  const open = () => {
    source = new EventSource("/api/events?" + new URLSearchParams(query));
    for (const name of ["state", "traffic", "ladders", "sockets", "ladder"]) {
      source.addEventListener(name, (e) => on[name](JSON.parse(e.data)));
    }
    source.onopen = () => on.status("");
    source.onerror = () => {
      on.status("The lab does not answer. Is it up? If it was started anew, open the address that its terminal shows.");
      if (source.readyState === EventSource.CLOSED) again = setTimeout(open, 3000); // else the browser tries again
    };
  };
  open();
  return () => {
    clearTimeout(again);
    source.close();
  };
}
