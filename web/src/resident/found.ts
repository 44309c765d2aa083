/** What the server said about the text that was scanned last, handed from the scanner to the screen that pays. */
import * as api from './api';

let last: { payload: string; found: api.Found } | undefined;

export async function read(payload: string): Promise<api.Found> {
  const found = await api.readCode(payload);
  last = { payload, found };
  return found;
}

/** What a text is; asked anew when the page was loaded meanwhile. */
export const foundIn = async (payload: string): Promise<api.Found> => (last?.payload === payload ? last.found : read(payload));
