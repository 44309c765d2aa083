// Shared small things of the kit. Nothing here knows a text, a route or the API.

export type Tone = 'neutral' | 'brand' | 'info' | 'ok' | 'warn' | 'bad';

/** Class names, leaving out what is false. */
export function cx(...names: (string | false | null | undefined)[]): string {
  return names.filter(Boolean).join(' ');
}

export function tone(t: Tone | undefined): string | false {
  return t !== undefined && t !== 'neutral' && `k-${t === 'info' ? 'brand' : t}`;
}

/** A press keeps the focus where it is: the caret stays in the amount while its keys are touched. */
export function keepFocus(e: Event): void {
  e.preventDefault();
}
