/** Server-sent events (WHATWG HTML, 9.2.6) from pieces of text as they come. */
export interface ServerEvent {
  type: string;
  /** The id to resume after. */
  id: string | undefined;
  data: string;
}

/**
 * Takes pieces of the stream and answers the events that are complete. `at` is told the id to resume after, also where a frame has
 * no data and so is no event.
 */
export function eventParser(at: (id: string) => void): (piece: string) => ServerEvent[] {
  let rest = '';
  let type = '';
  let id: string | undefined;
  let data: string[] = [];
  return (piece) => {
    const events: ServerEvent[] = [];
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (id !== undefined) at(id);
        if (data.length > 0) events.push({ type: type || 'message', id, data: data.join('\n') });
        type = '';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      if (colon === 0) continue; // a heartbeat
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (name === 'event') type = value;
      else if (name === 'id' && !value.includes('\0')) id = value;
      else if (name === 'data') data.push(value);
    }
    return events;
  };
}
