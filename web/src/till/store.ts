/** A value that several components draw: what it is now, and who is to be told when it changes. */
import { useEffect, useState } from 'preact/hooks';

export interface Store<T> {
  get: () => T;
  set: (next: T) => void;
  /** Changes some of it. */
  change: (part: Partial<T>) => void;
  /** The value; the component is drawn again when it changes. */
  use: () => T;
  /** Tells `listener` of every change, until the answer is called. */
  watch: (listener: (now: T) => void) => () => void;
}

export function store<T>(first: T): Store<T> {
  let held = first;
  const listeners = new Set<(now: T) => void>();
  const watch = (listener: (now: T) => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  const set = (next: T) => {
    if (Object.is(next, held)) return;
    held = next;
    for (const listener of [...listeners]) listener(held);
  };
  return {
    get: () => held,
    set,
    change: (part) => set({ ...held, ...part }),
    watch,
    use: () => {
      const [, draw] = useState(0);
      const drawn = held;
      useEffect(() => {
        // It may have changed between the drawing and now.
        if (!Object.is(drawn, held)) draw((n) => n + 1);
        return watch(() => draw((n) => n + 1));
      }, []);
      return held;
    },
  };
}

/** What this browser keeps for the till between visits. Never a secret, never a payer's code. */
export const kept = {
  read<T>(name: string): T | undefined {
    try {
      const text = localStorage.getItem(`yima.till.${name}`);
      return text === null ? undefined : (JSON.parse(text) as T);
    } catch {
      return undefined; // a browser that keeps nothing, or something else's text
    }
  },
  /** Whether it is kept now; a browser without room, or one that keeps nothing, has it for this page only. */
  write(name: string, value: unknown): boolean {
    const text = value === undefined ? null : JSON.stringify(value);
    try {
      if (text === null) localStorage.removeItem(`yima.till.${name}`);
      else localStorage.setItem(`yima.till.${name}`, text);
      return localStorage.getItem(`yima.till.${name}`) === text;
    } catch {
      return false;
    }
  },
  /** The names of what is kept that begin so. */
  names(start: string): string[] {
    try {
      return Object.keys(localStorage)
        .filter((key) => key.startsWith(`yima.till.${start}`))
        .map((key) => key.slice('yima.till.'.length));
    } catch {
      return [];
    }
  },
};
