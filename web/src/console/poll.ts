/** Asking again and again while somebody looks: not in a hidden tab, and not faster than answers come. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import { asFailure, type Load } from '../lib/load';

/** Loads now and `everyMs` after each answer; `everyMs` of the answer's own choosing, or undefined to stop. */
export function usePoll<T>(load: (signal: AbortSignal) => Promise<T>, everyMs: (data: T | undefined) => number | undefined, deps: readonly unknown[]): Load<T> {
  const [state, setState] = useState<Omit<Load<T>, 'reload' | 'set'>>({ data: undefined, failure: undefined, busy: true });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let held: T | undefined;
    let asking = false;
    const look = async () => {
      clearTimeout(timer);
      if (asking || document.hidden || stop.signal.aborted) return;
      asking = true;
      try {
        held = await load(stop.signal);
        if (!stop.signal.aborted) setState({ data: held, failure: undefined, busy: false });
      } catch (error) {
        if (!stop.signal.aborted) setState((s) => ({ data: s.data, failure: asFailure(error), busy: false }));
      }
      asking = false;
      const wait = everyMs(held);
      if (!stop.signal.aborted && wait !== undefined) timer = setTimeout(() => void look(), wait);
    };
    const shown = () => void look();
    document.addEventListener('visibilitychange', shown);
    addEventListener('online', shown);
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', shown);
      removeEventListener('online', shown);
    };
  }, [...deps, turn]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  return { ...state, reload, set: (data) => setState({ data, failure: undefined, busy: false }) };
}
